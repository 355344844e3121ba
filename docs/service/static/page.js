// Shows a picture that is on its way; the page itself is made anew, by the server, when it is over.
const waiting = document.querySelector("[data-events]");
if (waiting) {
  const events = new EventSource(waiting.dataset.events);
  const picture = new Image();
  events.addEventListener("partial", (event) => {
    picture.src = event.data;
    waiting.before(picture);
  });
  events.addEventListener("end", () => {
    events.close();
    location.reload();
  });
}
