// The interactive description of the API; everything comes from this server.
// What Swagger UI leaves to be wished for by those who do not see or use no mouse is mended.
const mend = () => {
  for (const link of document.querySelectorAll(".opblock-summary-control a[href]")) link.removeAttribute("href");
  for (const tag of document.querySelectorAll("h3.opblock-tag, .models h4")) tag.setAttribute("aria-level", "2");
  for (const [place, name] of [[".information-container", "About"], [".scheme-container", "Server"]]) {
    const part = document.querySelector(place);
    if (part) { part.setAttribute("role", "region"); part.setAttribute("aria-label", name); }
  }
  for (const list of document.querySelectorAll("select:not([aria-label])")) list.setAttribute("aria-label", list.id || "Choice");
  for (const field of document.querySelectorAll("input:not([aria-label]), textarea:not([aria-label])"))
    field.setAttribute("aria-label", field.placeholder || "Body");
};
window.addEventListener("DOMContentLoaded", () => {
  new MutationObserver(mend).observe(document.getElementById("docs"), { childList: true, subtree: true });
  SwaggerUIBundle({
    url: "/openapi.json", dom_id: "#docs", deepLinking: true, validatorUrl: null,
    tryItOutEnabled: true, defaultModelsExpandDepth: 0,
  });
});
