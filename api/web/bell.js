// New alerts make themselves heard: in a live region for screen readers always, by sound and a
// notification of the system where the officer wishes.

import { element, inLanguage, word } from "./words.js";

const WISH = "bell";
const TONES = { urgent: [880, 660, 880, 660, 880], alert: [660, 880] };  // Hz
const TONE_S = 0.22;
const button = document.getElementById("bell");
const live = document.getElementById("live");
let known = null;  // open alerts of which the officer has heard
let sound = null;

const isWished = () => localStorage.getItem(WISH) === "on";

button.addEventListener("click", async () => {
  localStorage.setItem(WISH, isWished() ? "off" : "on");
  drawBell();
  if (!isWished()) return;
  unlock();
  ring("alert");
  if ("Notification" in window && Notification.permission === "default") await Notification.requestPermission();
});
// Browsers give no sound before the page was touched.
addEventListener("pointerdown", () => isWished() && unlock(), { once: true });

function unlock() {
  sound ??= new AudioContext();
  sound.resume();
}

export function drawBell() {
  button.setAttribute("aria-pressed", String(isWished()));
  button.textContent = word(isWished() ? "bell_is_on" : "bell_is_off");
  button.setAttribute("aria-label", word("bell"));  // whose state is in aria-pressed
  button.title = word(isWished() ? "bell_on" : "bell_off");
}

// Those that are open and were not before; at first all are known.
export function announce(alerts) {
  const open = alerts.filter(({ status }) => status === "open");
  const fresh = known === null ? [] : open.filter(({ id, severity }) => known.get(id) !== severity);
  known = new Map(open.map(({ id, severity }) => [id, severity]));
  if (!fresh.length) return;
  live.replaceChildren(...fresh.map((alert) => element("p", "", wordsOf(alert))));
  document.body.dataset.announced = String(fresh.length);
  // What lies within a situation is seen; the situation rings.
  const ringing = fresh.filter(({ severity, within }) => severity in TONES && within === null);
  if (!isWished() || !ringing.length) return;
  ring(ringing.some(({ severity }) => severity === "urgent") ? "urgent" : "alert");
  ringing.forEach(notify);
}

const wordsOf = (alert) =>
  `${word(`severity_${alert.severity}`)}: ${inLanguage({ vi: alert.headline_vi, en: alert.headline_en })}`;

function ring(severity) {
  if (!sound) return;
  TONES[severity].forEach((pitch, n) => {
    const [tone, volume] = [sound.createOscillator(), sound.createGain()];
    tone.frequency.value = pitch;
    volume.gain.value = 0.25;
    tone.connect(volume).connect(sound.destination);
    tone.start(sound.currentTime + n * TONE_S);
    tone.stop(sound.currentTime + (n + 0.8) * TONE_S);
  });
}

function notify(alert) {
  if (!("Notification" in window) || Notification.permission !== "granted") return;
  const options = { tag: `alert-${alert.id}`, requireInteraction: alert.severity === "urgent" };
  const shown = new Notification(wordsOf(alert), options);
  shown.onclick = () => window.focus();
}
