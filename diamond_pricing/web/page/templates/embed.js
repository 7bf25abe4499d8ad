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
        const input = make(field.grades.length ? "select" : "input", undefined, { name: field.name, required: field.required });
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
      if (fields.every((field) => !field.required || form.elements[field.name].value) && this.hasAttribute("carat")) this.ask(form);
    }
    async ask(form) {
      const body = { language: "{{ words.code }}" };
      for (const field of fields) {
        const value = form.elements[field.name].value;
        if (value) body[field.name] = field.grades.length ? value : Number(value.replace(",", "."));
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
          const kinds = {{ {"Natural": words.natural, "Laboratory-grown": words.grown} | tojson }};
          shown.push(make("p", kinds[found.stone.origin] || {{ words.diamond | tojson }}));
          shown.push(make("b", money(found.price)));
          const ends = found.range && { level: Math.round(100 * found.range.level), low: money(found.range.low), high: money(found.range.high) };
          if (found.range) shown.push(make("p", {{ t.range | tojson }}.replace(/\{(\w+)\}/g, (_, name) => ends[name]) + "."));
          if (found.verdict.reasons.some((reason) => reason.code === "thin_support")) shown.push(make("p", {{ t.few_like_it | tojson }}));
          const list = make("ul"), percent = (factor) => new Intl.NumberFormat("{{ words.code }}", { style: "percent", signDisplay: "exceptZero", maximumFractionDigits: Math.abs(factor - 1) < 0.1 ? 1 : 0 }).format(factor - 1);
          let other = 1;
          for (const line of found.lines.slice(1)) {
            if (Math.abs(line.cents) < {{ small }} * found.cents) other *= line.factor;
            else list.append(make("li", line.sentence.replace(/: [^:]*$/, ": ") + percent(line.factor)));
          }
          list.prepend(make("li", found.lines[0].sentence));
          if (Math.abs(other - 1) >= 0.0005) list.append(make("li", {{ words.other | tojson }} + ": " + percent(other)));
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
