// TLS options of an endpoint: a client certificate with its key, and the trusted CA certificates.

import { h } from "./dom.js";
import { t } from "./language.js";
import { field } from "./ui.js";

const PARTS = ["certificate", "key", "ca"];

/** The fields; `value()` is null if nothing is set. The key is shown as a mask, which stands for the stored key. */
export function tlsFields() {
  const controls = Object.fromEntries(PARTS.map((name) => [name, area(name)]));
  const fields = {
    certificate: field(t("Client certificate"), controls.certificate, { optional: true, hint: t("For receivers that ask who connects. In PEM, with its chain, the own one first.") }),
    key: field(t("Private key of the certificate"), controls.key, { optional: true, hint: t("In PEM, without a password. It is never shown again.") }),
    ca: field(t("Trusted authorities"), controls.ca, { optional: true, hint: t("Certificates in PEM. Then your server's certificate must be of one of these, and nobody else is trusted.") }),
  };
  const element = h("div", { class: "form" }, Object.values(fields));

  function area(name) {
    return h("textarea", { class: `input code ${name === "key" ? "masked" : ""}`, rows: "3", spellcheck: "false", autocomplete: "off", autocapitalize: "off" });
  }

  element.value = () => {
    const said = PARTS.filter((name) => controls[name].value.trim() !== "");
    return said.length ? Object.fromEntries(said.map((name) => [name, controls[name].value.trim()])) : null;
  };
  element.put = (tls) => {
    for (const name of PARTS) controls[name].value = tls?.[name]?.trim() ?? "";
  };
  element.check = () => {
    element.complain();
    const { certificate, key } = element.value() ?? {};
    if (certificate && !key) fields.key.complain(t("This is needed."));
    if (key && !certificate) fields.certificate.complain(t("This is needed."));
  };
  element.complain = (text, place = "") => {
    if (text) (fields[place.split(".")[1]] ?? fields.certificate).complain(text);
    else for (const name of PARTS) fields[name].complain();
  };
  element.look = () => {};
  return element;
}
