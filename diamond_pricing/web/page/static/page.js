// Comfort only: without it everything works by pressing the button.
document.addEventListener("change", (event) => {
  const form = event.target.closest("form[hx-get]");
  if (form && form.checkValidity() && window.htmx) window.htmx.trigger(form, "priced");
});
document.addEventListener("htmx:configRequest", (event) => {
  const parameters = event.detail.parameters;
  for (const name of Object.keys(parameters)) if (parameters[name] === "") delete parameters[name];
});
document.addEventListener("htmx:afterSwap", () => {
  const answer = document.getElementById("answer");
  const stone = answer && answer.querySelector(".of");
  if (stone) document.title = stone.textContent.trim();
});
const print = document.getElementById("print");
if (print) {
  print.hidden = false;
  print.addEventListener("click", () => window.print());
}
