// Makes elements. Text goes in as text nodes only: nothing the platform sent can become markup.

const SVG = "http://www.w3.org/2000/svg";

export function h(tag, props, ...children) {
  return filled(document.createElement(tag), props, children);
}

export function svg(tag, props, ...children) {
  return filled(document.createElementNS(SVG, tag), props, children);
}

function filled(element, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "on") for (const [event, heard] of Object.entries(value)) element.addEventListener(event, heard);
    else if (name === "value" || name === "checked" || name === "disabled") element[name] = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

// Changes text only where it differs, so that a selection, a reader's place and the layout stay.
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function show(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter(Boolean));
}

let numbered = 0;
export function freshId(stem) {
  numbered += 1;
  return `${stem}-${numbered}`;
}

// A question in a dialog; answers with what `read` makes of it, or null where it was called off.
export function askIn({ title, body, confirm, danger = false, read = () => true }) {
  return new Promise((resolve) => {
    const titleId = freshId("dialog");
    let answer = null;
    const dialog = h("dialog", { "aria-labelledby": titleId },
      h("form", { on: { submit: (event) => { event.preventDefault(); answer = read(); dialog.close(); } } },
        h("h2", { id: titleId }, title), body,
        h("div", { class: "buttons" }, h("span", { class: "spring" }),
          h("button", { type: "button", on: { click: () => dialog.close() } }, "Cancel"),
          h("button", { class: danger ? "danger" : "primary" }, confirm))));
    dialog.addEventListener("close", () => { dialog.remove(); resolve(answer); });
    document.body.append(dialog);
    dialog.showModal();
  });
}
