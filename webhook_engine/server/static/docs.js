// Shows the OpenAPI document of this server. Everything on the page comes from the document, as text.
"use strict";

const METHODS = ["get", "post", "put", "patch", "delete"];
const DEEPEST = 6;

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function resolved(api, schema) {
  const name = schema?.$ref?.split("/").pop();
  return name ? api.components.schemas[name] : schema;
}

// A short text for a type, such as "string | null" or "array of EndpointOut".
function typeName(schema) {
  if (!schema) return "any";
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.anyOf) return schema.anyOf.map(typeName).join(" | ");
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.type === "array") return `array of ${typeName(schema.items)}`;
  return schema.format ?? schema.type ?? "any";
}

// An example value of the shape of a schema.
function shape(api, schema, depth = 0) {
  const known = resolved(api, schema);
  if (!known || depth > DEEPEST) return null;
  if (known.anyOf) return shape(api, known.anyOf.find((each) => each.type !== "null"), depth + 1);
  if (known.default !== undefined && known.default !== null) return known.default;
  if (known.enum) return known.enum[0];
  if (known.type === "array") return [shape(api, known.items, depth + 1)];
  if (known.type === "object") {
    const members = Object.entries(known.properties ?? {});
    return Object.fromEntries(members.map(([name, each]) => [name, shape(api, each, depth + 1)]));
  }
  if (known.format === "date-time") return "2030-01-31T12:00:00Z";
  return { string: "text", integer: 0, number: 0, boolean: false }[known.type] ?? {};
}

function table(headings, rows) {
  const head = element("tr", {}, ...headings.map((text) => element("th", {}, text)));
  const body = rows.map((row) => element("tr", {}, ...row.map((cell) => element("td", {}, cell))));
  return element("table", {}, element("thead", {}, head), element("tbody", {}, ...body));
}

function schemaOf(content) {
  return content?.["application/json"]?.schema;
}

function example(api, schema) {
  return element("pre", { tabindex: "0" }, JSON.stringify(shape(api, schema), null, 2));
}

function operation(api, path, method, described) {
  const inside = element("div", {}, element("p", {}, described.description));
  if (described.security?.length === 0) inside.append(element("p", {}, "Needs no token."));
  if (described.parameters.length) {
    const rows = described.parameters.map((each) => [
      element("code", {}, each.name), each.in, typeName(each.schema), each.required ? "required" : "",
    ]);
    inside.append(element("h3", {}, "Parameters"), table(["Name", "In", "Type", ""], rows));
  }
  const body = schemaOf(described.requestBody?.content);
  if (body) inside.append(element("h3", {}, `Body: ${typeName(body)}`), example(api, body));
  const rows = Object.entries(described.responses).map(([status, each]) => [
    element("code", {}, status), each.description, schemaOf(each.content) ? typeName(schemaOf(each.content)) : "",
  ]);
  inside.append(element("h3", {}, "Answers"), table(["Status", "Meaning", "Type"], rows));
  const success = Object.entries(described.responses).find(([status]) => status.startsWith("2"));
  const answer = schemaOf(success?.[1].content);
  if (answer) inside.append(element("h3", {}, `Example of ${success[0]}`), example(api, answer));
  const title = element(
    "summary", {},
    element("span", { class: `method ${method}` }, method.toUpperCase()),
    element("code", {}, path),
    element("span", { class: "summary" }, described.summary),
  );
  const words = `${method} ${path} ${described.summary}`.toLowerCase();
  return element("details", { "data-words": words, class: described.deprecated ? "deprecated" : "" }, title, inside);
}

function show(api) {
  document.getElementById("about").textContent = `${api.info.description} Version ${api.info.version}.`;
  const operations = Object.entries(api.paths).flatMap(([path, methods]) =>
    METHODS.filter((method) => methods[method]).map((method) => [path, method, methods[method]]));
  const sections = api.tags.map((tag) => {
    const members = operations.filter(([, , described]) => described.tags.includes(tag.name));
    return element(
      "section", {}, element("h2", {}, tag.description),
      ...members.map(([path, method, described]) => operation(api, path, method, described)),
    );
  });
  document.getElementById("routes").replaceChildren(...sections);
}

function filter(text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  for (const section of document.querySelectorAll("section")) {
    for (const each of section.querySelectorAll("details")) {
      each.hidden = !words.every((word) => each.dataset.words.includes(word));
    }
    section.hidden = !section.querySelector("details:not([hidden])");
  }
}

document.getElementById("filter").addEventListener("input", (event) => filter(event.target.value));
fetch("api/v1/openapi.json")
  .then((response) => response.json())
  .then(show)
  .catch((error) => { document.getElementById("about").textContent = `The document cannot be loaded: ${error}`; });
