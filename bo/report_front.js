// Makes the panels of the front answer: pointing or focusing shows an architecture, clicking or Enter draws it.
"use strict";
(() => {
  const section = document.getElementById("front");
  const data = JSON.parse(document.getElementById("front-data").textContent);
  const chosen = section.querySelector(".chosen");
  const SVG = document.querySelector("svg").namespaceURI;

  const make = (tag, text, attributes = {}, space = null) => {
    const made = space ? document.createElementNS(space, tag) : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    if (text !== null) made.textContent = text;
    return made;
  };

  const describe = (trial) => {
    const values = trial.values.map(([name, value]) => `${name} ${value}`).join(", ");
    return [trial.title, trial.note, values, trial.arch].filter(Boolean).join("; ");
  };

  const draw = (trial) => {
    const [width, height] = trial.drawing.size;
    const svg = make("svg", null, {
      viewBox: `${-6} ${-6} ${width} ${height}`, role: "img", "aria-label": `The architecture ${trial.arch}`,
    }, SVG);
    svg.style.maxWidth = `${Math.round(width * 1.15)}px`;
    for (const edge of trial.drawing.edges) svg.append(make("path", null, { d: edge, class: "wire" }, SVG));
    for (const [x, y, w, h, colour, lines] of trial.drawing.boxes) {
      svg.append(make("rect", null, { x, y, width: w, height: h, rx: 6, fill: colour, class: "box" }, SVG));
      lines.forEach((line, row) => svg.append(make("text", line, {
        x: x + w / 2, y: y + 16.5 + 13.6 * row, "text-anchor": "middle",
        class: row ? "small" : "name", fill: colour === "#243b53" ? "#ffffff" : "#102a43",
      }, SVG)));
    }
    return svg;
  };

  const choose = (number) => {
    const trial = data.trials[number];
    for (const point of section.querySelectorAll(".point")) {
      point.setAttribute("aria-selected", String(point.dataset.trial === number));
    }
    const facts = make("dl", null, { class: "facts" });
    for (const [name, value] of trial.values) facts.append(make("dt", name), make("dd", value));
    const title = make("h3", trial.note ? `${trial.title}, ${trial.note}` : trial.title);
    const figure = make("figure", trial.drawing ? null : "Not kept as a drawing, so that this page stays small.");
    if (trial.drawing) figure.append(draw(trial));
    chosen.replaceChildren(title, figure, make("p", null), facts);
    chosen.querySelector("p").append(make("code", trial.arch));
  };

  const show = (tip, point) => {
    const trial = data.trials[point.dataset.trial];
    const values = make("span", trial.values.map(([name, value]) => `${name} ${value}`).join(" · "));
    tip.replaceChildren(make("strong", trial.note ? `${trial.title}, ${trial.note}` : trial.title),
      make("code", trial.arch), values);
    tip.hidden = false;
    const around = tip.parentElement.getBoundingClientRect();
    const here = point.getBoundingClientRect();
    const middle = here.left + here.width / 2 - around.left;
    const left = Math.min(Math.max(middle - tip.offsetWidth / 2, 0), around.width - tip.offsetWidth);
    const above = here.top - around.top - tip.offsetHeight - 4;
    tip.style.left = `${Math.max(left, 0)}px`;
    tip.style.top = `${above >= 0 ? above : here.bottom - around.top + 4}px`;
  };

  for (const panel of section.querySelectorAll(".panel")) {
    const svg = panel.querySelector("svg");
    const tip = panel.querySelector(".tip");
    const points = [...svg.querySelectorAll(".point")];
    const place = new Map(points.map((point) => {
      const [x, y] = point.getAttribute("transform").match(/-?[\d.]+/g).map(Number);
      return [point, x * 1000 - y];
    }));
    const ordered = [...points].sort((one, other) => place.get(one) - place.get(other));
    const best = ordered.filter((point) => point.classList.contains("best"));
    let current = best[0] || ordered[0];
    svg.setAttribute("role", "listbox");

    const move = (point) => {
      current.setAttribute("tabindex", "-1");
      current = point;
      current.setAttribute("tabindex", "0");
      current.focus();
    };
    const keys = {
      ArrowRight: (at) => ordered[at + 1], ArrowLeft: (at) => ordered[at - 1],
      Home: () => ordered[0], End: () => ordered[ordered.length - 1],
      ArrowUp: () => best[(best.indexOf(current) + 1) % best.length],
      ArrowDown: () => best[(best.indexOf(current) + best.length - 1) % best.length],
    };

    for (const point of points) {
      point.setAttribute("role", "option");
      point.setAttribute("tabindex", point === current ? "0" : "-1");
      point.setAttribute("aria-label", describe(data.trials[point.dataset.trial]));
      point.addEventListener("mouseenter", () => show(tip, point));
      point.addEventListener("mouseleave", () => { tip.hidden = true; });
      point.addEventListener("focus", () => show(tip, point));
      point.addEventListener("blur", () => { tip.hidden = true; });
      point.addEventListener("click", () => { move(point); choose(point.dataset.trial); });
    }
    svg.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") choose(current.dataset.trial);
      else if (event.key === "Escape") tip.hidden = true;
      else if (keys[event.key]) { const to = keys[event.key](ordered.indexOf(current)); if (to) move(to); }
      else return;
      event.preventDefault();
    });
  }
  choose(data.first);
})();
