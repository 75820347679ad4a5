// The page, the tab of a run and the card on Home: the server draws them, this hangs them into Airflow's UI.
const { createElement, useEffect, useRef } = globalThis.React;

const SIGNED_OUT = '<p class="empty">You are signed out. Reload this page to sign in again.</p>';
const AWAY = '<p class="empty">Airflow does not answer just now. The next look is in a minute.</p>';

async function fetched(address) {
  try {
    const answer = await fetch(new URL(address, document.baseURI), { credentials: "same-origin" });
    if (answer.status === 401) return SIGNED_OUT;
    return answer.ok ? await answer.text() : AWAY;
  } catch {
    return AWAY;
  }
}

// A shadow keeps Airflow's style out and ours in; colours follow Airflow's theme, which is inherited.
function show(host, text) {
  const parsed = new DOMParser().parseFromString(text, "text/html");
  const shadow = host.shadowRoot ?? host.attachShadow({ mode: "open" });
  shadow.replaceChildren(...parsed.head.querySelectorAll("style"), ...parsed.body.childNodes);
}

function Drawn({ address, style }) {
  const host = useRef(null);
  useEffect(() => {
    let gone = false;
    const look = async () => {
      const text = await fetched(address);
      if (!gone) show(host.current, text);
    };
    look();
    const clock = setInterval(look, 60000);
    return () => {
      gone = true;
      clearInterval(clock);
    };
  }, [address]);
  return createElement("div", { ref: host, style });
}

const whole = { height: "100%", overflow: "auto" };

globalThis.Gate = function Gate({ dagId, runId }) {
  const run = new URLSearchParams({ dag: dagId ?? "", run: runId ?? "" });
  return createElement(Drawn, { address: runId ? `gate/run?${run}` : "gate/page", style: whole });
};

globalThis.Champion = function Champion() {
  return createElement(Drawn, { address: "gate/card", style: {} });
};
