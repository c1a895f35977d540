// The API's OpenAPI document, readable. Nothing here comes from another host.

import { h, show } from "./dom.js";

const main = document.getElementById("main");
document.documentElement.dataset.theme = localStorage.getItem("bridge.theme") ?? "auto";

async function draw() {
  const api = await (await fetch("openapi.json")).json();
  const named = (schema) => resolved(schema, api.components?.schemas ?? {}, 0);
  const operations = Object.entries(api.paths).flatMap(([path, verbs]) => Object.entries(verbs).map(([verb, each]) => ({ path, verb, ...each })));
  const tags = [...new Set(operations.map(({ tags: [tag] = ["other"] }) => tag))];
  show(main,
    h("h1", {}, `${api.info.title} ${api.info.version}`),
    h("p", { class: "muted" }, "Bearer tokens with the roles read and operate; errors are problem documents (RFC 9457). The machine-readable form: ", h("a", { href: "openapi.json" }, "openapi.json"), "."),
    tags.map((tag) => h("section", {}, h("h2", {}, tag), operations.filter(({ tags: [mine] = ["other"] }) => mine === tag).map((each) => operation(each, named)))));
}

function operation(each, named) {
  const body = each.requestBody?.content?.["application/json"]?.schema;
  const [status, answer] = Object.entries(each.responses).find(([code]) => code.startsWith("2")) ?? ["", {}];
  const schema = answer.content?.["application/json"]?.schema;
  return h("details", { class: "operation" },
    h("summary", {}, h("span", { class: "verb mono" }, each.verb.toUpperCase()), h("span", { class: "mono" }, each.path), h("span", { class: "muted" }, each.description?.split("\n")[0] ?? each.summary)),
    h("div", {},
      each.description ? h("p", {}, each.description) : null,
      each.parameters?.length ? h("table", {}, h("thead", {}, h("tr", {}, ["Name", "In", "What"].map((title) => h("th", { scope: "col" }, title)))), h("tbody", {}, each.parameters.map((one) => h("tr", {}, h("th", { scope: "row", class: "mono" }, one.name, one.required ? h("span", { class: "tag" }, "required") : null), h("td", {}, one.in), h("td", {}, one.description ?? typed(named(one.schema))))))) : null,
      body ? [h("h3", {}, "Body"), h("pre", {}, JSON.stringify(sketched(named(body)), null, 2))] : null,
      h("h3", {}, `Answer ${status}`), schema ? h("pre", {}, JSON.stringify(sketched(named(schema)), null, 2)) : h("p", { class: "muted" }, answer.description ?? "")));
}

// References replaced by what they name; recursion ends, since a schema may contain itself.
function resolved(schema, known, depth) {
  if (!schema || depth > 8) return {};
  if (schema.$ref) return resolved(known[schema.$ref.split("/").pop()], known, depth + 1);
  const copy = { ...schema };
  if (copy.properties) copy.properties = Object.fromEntries(Object.entries(copy.properties).map(([name, each]) => [name, resolved(each, known, depth + 1)]));
  if (copy.items) copy.items = resolved(copy.items, known, depth + 1);
  if (copy.additionalProperties && typeof copy.additionalProperties === "object") copy.additionalProperties = resolved(copy.additionalProperties, known, depth + 1);
  if (copy.anyOf) copy.anyOf = copy.anyOf.map((each) => resolved(each, known, depth + 1));
  return copy;
}

function typed(schema) {
  if (schema.anyOf) return schema.anyOf.map(typed).join(" or ");
  const bounds = [schema.minimum !== undefined ? `≥ ${schema.minimum}` : "", schema.maximum !== undefined ? `≤ ${schema.maximum}` : ""].filter(Boolean).join(", ");
  return [schema.format ?? schema.type ?? "any", bounds && `(${bounds})`, schema.default !== undefined && schema.default !== "" ? `default ${JSON.stringify(schema.default)}` : ""].filter(Boolean).join(" ");
}

function sketched(schema) {
  if (schema.properties) return Object.fromEntries(Object.entries(schema.properties).map(([name, each]) => [name, sketched(each)]));
  if (schema.type === "array") return [sketched(schema.items ?? {})];
  if (schema.anyOf?.some((each) => each.properties)) return sketched(schema.anyOf.find((each) => each.properties));
  if (schema.additionalProperties?.type || schema.additionalProperties?.items) return { "…": sketched(schema.additionalProperties) };
  return typed(schema);
}

draw().catch((error) => show(main, h("p", { class: "empty" }, `The document could not be read: ${error.message}`)));
