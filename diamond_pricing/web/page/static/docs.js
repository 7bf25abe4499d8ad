// The interactive description of the API; everything comes from this server.
window.addEventListener("DOMContentLoaded", () => {
  SwaggerUIBundle({
    url: "/openapi.json", dom_id: "#docs", deepLinking: true, validatorUrl: null,
    tryItOutEnabled: true, defaultModelsExpandDepth: 0,
  });
});
