// Why an attempt failed, in one line, and how to fix it, for the people who run the receiver.

import { t } from "./language.js";

const cause = (what, todo) => ({ what, todo });

const BY_STATUS = {
  400: () => cause(t("Your server did not accept the request: 400 Bad Request."), t("Its response below may say why; compare what your code expects with the payload.")),
  401: () => cause(t("Your server wants credentials, or took the signature for wrong: 401 Unauthorized."), t("Compare the signing secret in your code with the one of this endpoint, or add the header that your server wants on the tab Settings.")),
  403: () => cause(t("Your server, or a firewall before it, refused the request: 403 Forbidden."), t("Let requests to this URL through; the signature tells that they come from us.")),
  404: () => cause(t("There is nothing at this URL: 404 Not Found."), t("Check the path of the URL, and that your server has a route for POST there.")),
  405: () => cause(t("Your server does not take POST at this URL: 405 Method Not Allowed."), t("Check the path of the URL, and let your route take POST.")),
  406: () => cause(t("Your server does not take this kind of content."), t("Let your route take application/json.")),
  410: () => cause(t("Your server said that it wants nothing more: 410 Gone."), t("The endpoint was disabled. Enable it when you want events again.")),
  413: () => cause(t("The payload is too large for your server: 413 Content Too Large."), t("Raise the limit for the size of bodies, in your server and in the proxy before it.")),
  415: () => cause(t("Your server does not take this kind of content."), t("Let your route take application/json.")),
  419: () => cause(t("The protection against forged forms (CSRF) of your framework refused the request."), t("Take this path out of that protection; the signature protects it.")),
  422: () => cause(t("Your server could not make sense of the payload: 422 Unprocessable Content."), t("Its response below may say why; compare what your code expects with the payload.")),
  429: () => cause(t("Your server asks for fewer requests: 429 Too Many Requests."), t("Set a rate limit on the tab Settings, or raise the limit of your server.")),
  500: () => cause(t("An error in your server's own code: 500 Internal Server Error."), t("Look into the log of your server at the time of this attempt.")),
  502: () => cause(t("A proxy before your server got no proper response from it: 502 Bad Gateway."), t("Check that your application is running, and that the proxy leads to it.")),
  503: () => cause(t("Your server was not ready: 503 Service Unavailable."), t("Check that your application is running and not overloaded.")),
  504: () => cause(t("A proxy before your server waited too long for it: 504 Gateway Timeout."), t("Answer first, and do the work afterwards.")),
};

const CERTIFICATES = [
  [/expired/i, () => cause(t("The certificate of your server has expired."), t("Renew it."))],
  [/self.signed/i, () => cause(t("Your server has a certificate that it signed itself."), t("Use one of a public authority."))],
  [/hostname mismatch|doesn't match|not valid for/i, () => cause(t("The certificate of your server is for another name."), t("Use one for the name in the URL."))],
  [/local issuer|verify failed/i, () => cause(t("The certificate of your server cannot be verified."), t("Have your server send the intermediate certificates, too."))],
];

const TOKEN_SERVER = [
  [/server answered (\d+)(?: \((.*)\))?$/, ([, code, said]) => cause(said ? t("The token server answered {code}: {said}", { code, said }) : t("The token server answered {code}.", { code }), t("Compare the client id, the client secret and the scope with what your token server knows."))],
  [/without an access_token/, () => cause(t("The token server answered without an access token."), t("Check that the URL is the one that gives tokens to clients (client credentials)."))],
  [/another type/, () => cause(t("The token server gave a token of another kind than Bearer."), t("Have it give bearer tokens to this client."))],
  [/range are blocked/, () => cause(t("The token server is in a private network, which we cannot reach."), t("Use an address that can be reached from the internet."))],
];

/** Why there is no access token, from the recorded text. */
export function tokenCause(text) {
  for (const [pattern, told] of TOKEN_SERVER) {
    const found = pattern.exec(text);
    if (found) return told(found);
  }
  return cause(t("The token server cannot be reached, or did not answer in time."), t("Check its URL, and that it can be reached from the internet."));
}

const FAILURES = {
  authentication: ({ response }) => tokenCause(response),
  transformation: () => cause(t("Nothing was sent: what changes the requests of this endpoint failed."), t("Its words stand below. Try your script on the tab Settings, or choose another format there.")),

  blocked: () => cause(t("Nothing was sent: this address is in a private network, which we cannot reach."), t("Use an address that can be reached from the internet.")),
  dns: () => cause(t("Nothing was sent: the name in the URL leads to no address."), t("Check the URL for a typing error, and the DNS records of the name.")),
  connect: ({ response }) => {
    if (/refused/i.test(response)) return cause(t("Nothing was sent: no program takes connections at this address."), t("Check that your server is running, and the port in the URL."));
    if (/before the (answer|response)|within the headers/.test(response)) return cause(t("The connection ended before a response came."), t("Your server may have crashed or been restarted: look into its log."));
    return cause(t("Nothing was sent: there was no connection to the server."), t("Check that your server can be reached from the internet, and that no firewall is in the way."));
  },
  tls: ({ response }) => {
    const known = CERTIFICATES.find(([pattern]) => pattern.test(response));
    return known ? known[1]() : cause(t("Nothing was sent: no secure connection came about."), t("Check the certificate of your server, and that it speaks TLS 1.2 or newer."));
  },
  timeout: ({ response }) =>
    /no connection/.test(response)
      ? cause(t("Nothing was sent: no connection came about in time."), t("Check that your server can be reached from the internet, and that no firewall is in the way."))
      : cause(t("Your server took the request, and did not answer in time."), t("Answer first, and do the work afterwards.")),
  protocol: () => cause(t("What came back was not HTTP, or broke off."), t("Check that the port in the URL is that of a web server.")),
};

/** `{ what, todo }` for a failed attempt; undefined for a successful one. */
export function causeOf(attempt) {
  const { status, failure, response, responseStatusCode: code } = attempt;
  if (status === 0) return undefined;
  if (!code) return (FAILURES[failure] ?? (() => cause(t("There was no response."), "")))(attempt);
  if (/csrf/i.test(response) && code >= 400 && code < 500) return BY_STATUS[419]();
  if (BY_STATUS[code]) return BY_STATUS[code]();
  const said = { code: String(code) };
  if (code < 300) return cause(t("Your server answered {code}.", said), "");
  if (code < 400) return cause(t("Your server redirects to another address: {code}. Redirects are not followed.", said), t("Enter the address that it redirects to as the URL of the endpoint."));
  if (code < 500) return cause(t("Your server refused the request: {code}.", said), t("Its response below may say why."));
  return cause(t("Your server failed: {code}.", said), t("Look into the log of your server at the time of this attempt."));
}
