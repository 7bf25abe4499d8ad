// Comfort only: without it everything works by pressing the button.
const form = document.querySelector("form[hx-get]");
const answer = () => document.getElementById("answer");
let pending = 0;
let pressed = false;

// The answer is of another stone than the form: say so, and take nothing from it.
const stale = (is) => {
  const note = document.getElementById("stale");
  if (note) note.hidden = !is;
  if (answer()) answer().toggleAttribute("inert", is);
};
// The old price must not be read as the new one's while that is on its way.
const busy = (is) => {
  if (!answer()) return;
  answer().setAttribute("aria-busy", is);
  answer().toggleAttribute("inert", is); // nothing is kept of a stone that the form has left
};
// What was written for the client stays while the stone changes.
let client = [];
const ask = () => {
  if (!window.htmx) return;
  if (form.checkValidity()) window.htmx.trigger(form, "priced");
  else if (answer() && answer().querySelector(".price")) { busy(false); stale(true); }
};
// What was asked last: leaving a field that says the same asks nothing.
const written = () => new URLSearchParams(new FormData(form)).toString();
let asked = form ? written() : "";
if (form) {
  form.addEventListener("submit", () => { clearTimeout(pending); pressed = true; });
  form.addEventListener("input", (event) => {
    if (!window.htmx || !answer() || !answer().querySelector(".price")) return;
    clearTimeout(pending);
    const same = written() === asked;
    if (same) stale(false);
    busy(!same);
    if (!same && event.target.type !== "radio") pending = setTimeout(ask, 800);
  });
  form.addEventListener("change", (event) => {
    if (written() === asked) return;
    clearTimeout(pending);
    if (window.htmx && form.checkValidity()) busy(true);
    // A press of Enter or of the button follows at once, and asks itself.
    pending = setTimeout(ask, event.target.type === "radio" ? 0 : 250);
  });
  document.addEventListener("htmx:configRequest", (event) => {
    busy(true);
    asked = written();
    const parameters = event.detail.parameters;
    for (const name of Object.keys(parameters)) if (parameters[name] === "") delete parameters[name];
  });
  for (const failed of ["htmx:responseError", "htmx:sendError", "htmx:timeout"])
    document.addEventListener(failed, () => { asked = ""; busy(false); stale(true); });
  document.addEventListener("htmx:beforeSwap", () => {
    client = [...document.querySelectorAll("details.for input")].map((field) => [field.name, field.value]);
  });
  document.addEventListener("htmx:afterSwap", () => {
    stale(false);
    busy(written() !== asked); // more may have been typed meanwhile
    for (const [name, value] of client) {
      const field = document.querySelector(`details.for input[name="${name}"]`);
      if (field && value) { field.value = value; field.closest("details").open = true; }
    }
    const stone = answer().querySelector(".of");
    if (stone) document.title = stone.textContent.trim();
    if (pressed) {
      const there = document.getElementById("price") || answer();
      there.focus({ preventScroll: true });
      // What was asked for is seen first, with the stone above it.
      if (there.getBoundingClientRect().top > window.innerHeight / 2 || there.getBoundingClientRect().top < 0)
        answer().scrollIntoView({ block: "start" });
    }
    pressed = false;
  });
}
const stock = document.getElementById("stock");
if (stock) {
  const input = stock.querySelector("input");
  const send = (file) => {
    if (!file) return;
    const progress = document.createElement("progress");
    const note = document.createElement("p");
    note.textContent = file.name;
    answer().replaceChildren(note, progress);
    const sending = new XMLHttpRequest();
    const url = new URL(stock.action);
    url.searchParams.set("name", file.name);
    sending.open("POST", url);
    sending.setRequestHeader("Content-Type", "application/octet-stream");
    sending.upload.onprogress = (e) => { if (e.lengthComputable) { progress.max = e.total; progress.value = e.loaded; } };
    sending.upload.onload = () => { progress.removeAttribute("value"); note.textContent = stock.dataset.busy; };
    const failed = () => { note.textContent = stock.dataset.failed; progress.remove(); };
    sending.onerror = failed;
    sending.onload = () => {
      if (sending.status !== 200) return failed();
      answer().innerHTML = sending.responseText; // made by the server's templates, which escape
      answer().focus();
    };
    sending.send(file);
  };
  input.addEventListener("change", () => { send(input.files[0]); input.value = ""; });
  stock.addEventListener("submit", (event) => event.preventDefault());
  for (const name of ["dragover", "dragleave", "drop"]) stock.addEventListener(name, (event) => {
    event.preventDefault();
    stock.classList.toggle("over", name === "dragover");
    if (name === "drop") send(event.dataTransfer.files[0]);
  });
}
const language = document.querySelector("a[hreflang]");
if (language) language.addEventListener("click", () => {
  const query = new URLSearchParams(window.location.search);
  query.set("lang", language.hreflang);
  language.search = query.toString();
});
// Paper has no triangles to press.
let shut = [];
window.addEventListener("beforeprint", () => {
  shut = [...document.querySelectorAll("details.lines:not([open])")];
  shut.forEach((one) => { one.open = true; });
});
window.addEventListener("afterprint", () => shut.forEach((one) => { one.open = false; }));
const print = document.getElementById("print");
if (print) {
  print.hidden = false;
  print.addEventListener("click", () => window.print());
}
