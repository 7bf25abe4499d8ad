// <diamond-price key="dp_…"></diamond-price>: a price with its reasons, in anybody's page.
(() => {
  const server = new URL(document.currentScript.src).origin;
  const fields = {{ fields | tojson }};
  const style = "form{display:grid;gap:.6rem;grid-template-columns:repeat(auto-fit,minmax(8rem,1fr))}" +
    "label{display:grid;gap:.2rem}input,select,button{font:inherit;padding:.5rem;min-width:0;align-self:end}b{font-size:1.6em}" +
    "ul{padding-left:1.2em}[aria-busy=true]{opacity:.4}";
  const make = (name, text, more) => Object.assign(document.createElement(name), text === undefined ? {} : { textContent: text }, more);
  class DiamondPrice extends HTMLElement {
    connectedCallback() {
      const root = this.attachShadow({ mode: "open" });
      root.append(make("style", style));
      const form = make("form");
      for (const field of fields) {
        const label = make("label", field.label);
        const input = make(field.grades.length ? "select" : "input", undefined, { name: field.name, required: true });
        if (field.grades.length) input.append(make("option", "", { value: "" }));
        for (const grade of field.grades) input.append(make("option", grade));
        if (this.hasAttribute(field.name)) input.value = this.getAttribute(field.name);
        label.append(input);
        form.append(label);
      }
      form.append(make("button", {{ t.button | tojson }}));
      this.answer = make("div");
      this.answer.setAttribute("aria-live", "polite");
      root.append(form, this.answer);
      form.addEventListener("submit", (event) => { event.preventDefault(); this.ask(form); });
      if (fields.every((field) => form.elements[field.name].value) && this.hasAttribute("carat")) this.ask(form);
    }
    async ask(form) {
      const body = { language: "{{ words.code }}" };
      for (const field of fields) {
        const value = form.elements[field.name].value;
        body[field.name] = field.grades.length ? value : Number(value.replace(",", "."));
      }
      this.answer.setAttribute("aria-busy", "true");
      const shown = [];
      try {
        const answer = await fetch(server + "/v1/prices", {
          method: "POST", body: JSON.stringify(body),
          headers: { "Content-Type": "application/json", Authorization: "Bearer " + this.getAttribute("key") },
        });
        const found = await answer.json();
        if (!answer.ok) shown.push(make("p", found.detail || found.title));
        else {
          const money = (value) => new Intl.NumberFormat("{{ words.code }}", { style: "currency", currency: found.currency, currencyDisplay: "narrowSymbol", useGrouping: "always", maximumFractionDigits: 0 }).format(value);
          shown.push(make("b", money(found.price)));
          if (found.range) shown.push(make("p", `${money(found.range.low)} – ${money(found.range.high)}`));
          const list = make("ul");
          for (const line of found.lines) if (line.cents) list.append(make("li", line.sentence));
          shown.push(list, make("small", {{ (prices ~ ". " ~ unrecorded ~ " " ~ t.estimate) | tojson }}));
        }
      } catch (error) {
        shown.push(make("p", {{ t.no_answer | tojson }}));
      }
      this.answer.replaceChildren(...shown);
      this.answer.removeAttribute("aria-busy");
    }
  }
  customElements.define("diamond-price", DiamondPrice);
})();
