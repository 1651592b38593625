// Code that verifies a request, in many languages, on what each has at hand; and what frameworks do to the body.

import { shellQuoted } from "./curl.js";

const quoted = (text) => JSON.stringify(text).replaceAll("$", "\\$");
const plain = (text) => JSON.stringify(text);

const python = (secret, prefix) => `import base64, hashlib, hmac, time

SECRET = ${plain(secret)}

def verify(body: bytes, headers) -> None:
    """Raise ValueError unless this request is authentic. body: the raw bytes, before any parsing."""
    message_id, timestamp = headers["${prefix}-id"], headers["${prefix}-timestamp"]
    if abs(time.time() - int(timestamp)) > 300:
        raise ValueError("too old, or a clock is wrong")
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    signed = f"{message_id}.{timestamp}.".encode() + body
    wanted = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    given = [part.partition(",")[2] for part in headers["${prefix}-signature"].split() if part.startswith("v1,")]
    if not any(hmac.compare_digest(wanted, each) for each in given):
        raise ValueError("the signature does not fit")`;

const script = (secret, prefix, typed) => `import { createHmac, timingSafeEqual } from "node:crypto";

const SECRET = ${plain(secret)};

// Throws unless this request is authentic. body: a Buffer of the raw bytes, before any parsing.
export function verify(body${typed ? ": Buffer" : ""}, headers${typed ? ": Record<string, string>" : ""})${typed ? ": void" : ""} {
  const id = headers["${prefix}-id"];
  const timestamp = headers["${prefix}-timestamp"];
  if (!(Math.abs(Date.now() / 1000 - Number(timestamp)) <= 300)) throw new Error("too old, or a clock is wrong");
  const key = Buffer.from(SECRET.replace("whsec_", ""), "base64");
  const wanted = createHmac("sha256", key).update(\`\${id}.\${timestamp}.\`).update(body).digest();
  const fits = headers["${prefix}-signature"].split(" ").some((part) => {
    const [version, value = ""] = part.split(",");
    const given = Buffer.from(value, "base64");
    return version === "v1" && given.length === wanted.length && timingSafeEqual(given, wanted);
  });
  if (!fits) throw new Error("the signature does not fit");
}`;

const go = (secret, prefix) => `package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const secret = ${plain(secret)}

// Verify returns an error unless this request is authentic. body: the raw bytes, before any parsing.
func Verify(body []byte, headers http.Header) error {
	id, timestamp := headers.Get("${prefix}-id"), headers.Get("${prefix}-timestamp")
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || time.Since(time.Unix(seconds, 0)).Abs() > 5*time.Minute {
		return errors.New("too old, or a clock is wrong")
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		return err
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + timestamp + "."))
	mac.Write(body)
	for _, part := range strings.Fields(headers.Get("${prefix}-signature")) {
		version, value, _ := strings.Cut(part, ",")
		given, err := base64.StdEncoding.DecodeString(value)
		if version == "v1" && err == nil && hmac.Equal(given, mac.Sum(nil)) {
			return nil
		}
	}
	return errors.New("the signature does not fit")
}`;

const java = (secret, prefix) => `import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.time.Instant;
import java.util.Base64;
import java.util.function.Function;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

public final class WebhookVerifier {
    private static final String SECRET = ${plain(secret)};

    /** Throws unless this request is authentic. body: the raw bytes, before any parsing; header: the value of a name. */
    public static void verify(byte[] body, Function<String, String> header) throws GeneralSecurityException {
        String id = header.apply("${prefix}-id");
        String timestamp = header.apply("${prefix}-timestamp");
        if (Math.abs(Instant.now().getEpochSecond() - Long.parseLong(timestamp)) > 300) {
            throw new SecurityException("too old, or a clock is wrong");
        }
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(Base64.getDecoder().decode(SECRET.replace("whsec_", "")), "HmacSHA256"));
        mac.update((id + "." + timestamp + ".").getBytes(StandardCharsets.UTF_8));
        String wanted = "v1," + Base64.getEncoder().encodeToString(mac.doFinal(body));
        for (String given : header.apply("${prefix}-signature").split(" ")) {
            if (MessageDigest.isEqual(wanted.getBytes(StandardCharsets.UTF_8), given.getBytes(StandardCharsets.UTF_8))) return;
        }
        throw new SecurityException("the signature does not fit");
    }
}`;

const kotlin = (secret, prefix) => `import java.security.MessageDigest
import java.time.Instant
import java.util.Base64
import javax.crypto.Mac
import javax.crypto.spec.SecretKeySpec
import kotlin.math.abs

private const val SECRET = ${quoted(secret)}

/** Throws unless this request is authentic. body: the raw bytes, before any parsing; header: the value of a name. */
fun verify(body: ByteArray, header: (String) -> String) {
    val id = header("${prefix}-id")
    val timestamp = header("${prefix}-timestamp")
    if (abs(Instant.now().epochSecond - timestamp.toLong()) > 300) throw SecurityException("too old, or a clock is wrong")
    val mac = Mac.getInstance("HmacSHA256")
    mac.init(SecretKeySpec(Base64.getDecoder().decode(SECRET.removePrefix("whsec_")), "HmacSHA256"))
    mac.update("$id.$timestamp.".toByteArray())
    val wanted = "v1," + Base64.getEncoder().encodeToString(mac.doFinal(body))
    val fits = header("${prefix}-signature").split(" ").any { MessageDigest.isEqual(it.toByteArray(), wanted.toByteArray()) }
    if (!fits) throw SecurityException("the signature does not fit")
}`;

const csharp = (secret, prefix) => `using System.Security.Cryptography;
using System.Text;

public static class WebhookVerifier
{
    private const string Secret = ${plain(secret)};

    /// <summary>Throws unless this request is authentic. body: the raw bytes, before any parsing.</summary>
    public static void Verify(byte[] body, Func<string, string> header)
    {
        var id = header("${prefix}-id");
        var timestamp = header("${prefix}-timestamp");
        if (Math.Abs(DateTimeOffset.UtcNow.ToUnixTimeSeconds() - long.Parse(timestamp)) > 300)
            throw new CryptographicException("too old, or a clock is wrong");
        var key = Convert.FromBase64String(Secret.Replace("whsec_", ""));
        var signed = Encoding.UTF8.GetBytes($"{id}.{timestamp}.").Concat(body).ToArray();
        var wanted = Encoding.UTF8.GetBytes("v1," + Convert.ToBase64String(HMACSHA256.HashData(key, signed)));
        var fits = header("${prefix}-signature").Split(' ')
            .Any(given => CryptographicOperations.FixedTimeEquals(wanted, Encoding.UTF8.GetBytes(given)));
        if (!fits) throw new CryptographicException("the signature does not fit");
    }
}`;

const ruby = (secret, prefix) => `require "openssl"

SECRET = ${plain(secret)}

# Raises unless this request is authentic. body: the raw bytes, before any parsing; headers by lower-case names.
def verify(body, headers)
  id, timestamp = headers["${prefix}-id"], headers["${prefix}-timestamp"]
  raise "too old, or a clock is wrong" if (Time.now.to_i - Integer(timestamp, 10)).abs > 300
  key = SECRET.delete_prefix("whsec_").unpack1("m")
  wanted = "v1," + [OpenSSL::HMAC.digest("SHA256", key, "#{id}.#{timestamp}.".b + body.b)].pack("m0")
  fits = headers["${prefix}-signature"].split.any? { |given| OpenSSL.secure_compare(wanted, given) }
  raise "the signature does not fit" unless fits
end`;

const php = (secret, prefix) => `<?php
const SECRET = ${shellQuoted(secret)};

/** Throws unless this request is authentic. $body: the raw bytes, before any parsing; $headers by lower-case names. */
function verify(string $body, array $headers): void
{
    $id = $headers['${prefix}-id'];
    $timestamp = $headers['${prefix}-timestamp'];
    if (abs(time() - (int) $timestamp) > 300) {
        throw new RuntimeException('too old, or a clock is wrong');
    }
    $key = base64_decode(substr(SECRET, strlen('whsec_')));
    $wanted = 'v1,' . base64_encode(hash_hmac('sha256', "$id.$timestamp.$body", $key, true));
    foreach (explode(' ', $headers['${prefix}-signature']) as $given) {
        if (hash_equals($wanted, $given)) {
            return;
        }
    }
    throw new RuntimeException('the signature does not fit');
}`;

const rust = (secret, prefix) => `// cargo add base64 hmac@0.12 sha2@0.10 http
use base64::{engine::general_purpose::STANDARD, Engine};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::time::{SystemTime, UNIX_EPOCH};

const SECRET: &str = ${plain(secret)};

/// Fails unless this request is authentic. body: the raw bytes, before any parsing.
pub fn verify(body: &[u8], headers: &http::HeaderMap) -> Result<(), &'static str> {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok()).ok_or("a header is missing");
    let (id, timestamp) = (header("${prefix}-id")?, header("${prefix}-timestamp")?);
    let sent: u64 = timestamp.parse().map_err(|_| "the timestamp is no number")?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|_| "a clock is wrong")?.as_secs();
    if now.abs_diff(sent) > 300 {
        return Err("too old, or a clock is wrong");
    }
    let key = STANDARD.decode(SECRET.trim_start_matches("whsec_")).map_err(|_| "the secret is no base64")?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).map_err(|_| "the secret is empty")?;
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    let fits = header("${prefix}-signature")?.split(' ').filter_map(|part| part.strip_prefix("v1,")).any(|given| {
        STANDARD.decode(given).is_ok_and(|given| mac.clone().verify_slice(&given).is_ok())
    });
    if fits { Ok(()) } else { Err("the signature does not fit") }
}`;

const curl = (secret, prefix, endpoint) => `# Send yourself a signed request, as we would.
SECRET=${shellQuoted(secret)}
BODY='{"test": true}'
ID="msg_test"
TIMESTAMP=$(date +%s)
KEY=$(printf '%s' "\${SECRET#whsec_}" | base64 -d | od -An -vtx1 | tr -d ' \\n')
SIGNATURE=$(printf '%s' "$ID.$TIMESTAMP.$BODY" | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$KEY" -binary | base64)
curl -i ${shellQuoted(endpoint.url)} \\
  -H "content-type: application/json" \\
  -H "${prefix}-id: $ID" \\
  -H "${prefix}-timestamp: $TIMESTAMP" \\
  -H "${prefix}-signature: v1,$SIGNATURE" \\
  --data-binary "$BODY"`;

const publicKeyPython = (key, prefix) => `# pip install cryptography
import base64, time
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

PUBLIC_KEY = ${plain(key)}

def verify(body: bytes, headers) -> None:
    """Raise an exception unless this request is authentic. body: the raw bytes, before any parsing."""
    message_id, timestamp = headers["${prefix}-id"], headers["${prefix}-timestamp"]
    if abs(time.time() - int(timestamp)) > 300:
        raise ValueError("too old, or a clock is wrong")
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(PUBLIC_KEY.removeprefix("whpk_")))
    signed = f"{message_id}.{timestamp}.".encode() + body
    given = [part.partition(",")[2] for part in headers["${prefix}-signature"].split() if part.startswith("v1a,")]
    key.verify(base64.b64decode(given[0]), signed)`;

const publicKeyScript = (key, prefix) => `import { createPublicKey, verify as fits } from "node:crypto";

const PUBLIC_KEY = ${plain(key)};

// Throws unless this request is authentic. body: a Buffer of the raw bytes, before any parsing.
export function verify(body, headers) {
  const id = headers["${prefix}-id"];
  const timestamp = headers["${prefix}-timestamp"];
  if (!(Math.abs(Date.now() / 1000 - Number(timestamp)) <= 300)) throw new Error("too old, or a clock is wrong");
  const x = Buffer.from(PUBLIC_KEY.replace("whpk_", ""), "base64").toString("base64url");
  const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
  const signed = Buffer.concat([Buffer.from(\`\${id}.\${timestamp}.\`), body]);
  const given = headers["${prefix}-signature"].split(" ").filter((part) => part.startsWith("v1a,"));
  if (!given.some((part) => fits(null, signed, key, Buffer.from(part.slice(4), "base64")))) throw new Error("the signature does not fit");
}`;

/** The code in each language: [name, text]. */
export function samples(secret, prefix, endpoint) {
  if (secret.startsWith("whpk_")) return [["Python", publicKeyPython(secret, prefix)], ["JavaScript", publicKeyScript(secret, prefix)]];
  return [
    ["Python", python(secret, prefix)],
    ["JavaScript", script(secret, prefix, false)],
    ["TypeScript", script(secret, prefix, true)],
    ["Go", go(secret, prefix)],
    ["Java", java(secret, prefix)],
    ["Kotlin", kotlin(secret, prefix)],
    ["C#", csharp(secret, prefix)],
    ["Ruby", ruby(secret, prefix)],
    ["PHP", php(secret, prefix)],
    ["Rust", rust(secret, prefix)],
    ["curl", curl(secret, prefix, endpoint)],
  ];
}

/** How to get at the raw body in each framework: [name, text]. */
export const FRAMEWORKS = [
  ["Express", `// Before any express.json(), which parses the body and drops the raw bytes:
app.post("/webhooks", express.raw({ type: "*/*", limit: "1mb" }), (request, response) => {
  verify(request.body, request.headers); // a Buffer
  response.sendStatus(204); // answer first, work afterwards
  queue(JSON.parse(request.body));
});`],
  ["Next.js", `// app/webhooks/route.ts: take the raw body, never request.json() first.
export async function POST(request: Request) {
  const body = Buffer.from(await request.arrayBuffer());
  verify(body, Object.fromEntries(request.headers));
  return new Response(null, { status: 204 });
}
// In the pages router, switch the parser off: export const config = { api: { bodyParser: false } };`],
  ["Rails", `class WebhooksController < ActionController::API # has no CSRF protection, which would answer 422
  def create
    names = %w[id timestamp signature].map { |name| "webhook-#{name}" }
    verify(request.raw_post, names.to_h { |name| [name, request.headers[name]] }) # not params
    head :no_content
  end
end`],
  ["Spring", `// byte[] and not a String or an object: converters decode and parse. With Spring Security, take the
// path out of CSRF protection: http.csrf(csrf -> csrf.ignoringRequestMatchers("/webhooks"))
@PostMapping("/webhooks")
ResponseEntity<Void> receive(@RequestBody byte[] body, HttpServletRequest request) throws Exception {
    WebhookVerifier.verify(body, request::getHeader);
    return ResponseEntity.noContent().build();
}`],
  ["Laravel", `// In routes/api.php, which has no CSRF protection (that answers 419):
Route::post('/webhooks', function (Request $request) {
    $headers = array_map(fn ($values) => $values[0], $request->headers->all());
    verify($request->getContent(), $headers); // not $request->all()
    return response()->noContent();
});`],
  ["Django", `@csrf_exempt  # or it answers 403
@require_POST
def webhooks(request):
    verify(request.body, request.headers)  # before anything reads request.POST
    return HttpResponse(status=204)
# A URL without its final slash is redirected by APPEND_SLASH, and redirects are not followed.`],
  ["FastAPI", `@app.post("/webhooks", status_code=204)
async def webhooks(request: Request) -> None:  # no model as a parameter: it parses the body
    verify(await request.body(), request.headers)`],
];
