// What a link says beside its key belongs to the page for as long as it is open: from behind the key it goes into the
// query, before anything else looks there.

const KEY = "#key=";

if (location.hash.startsWith(KEY) && location.hash.includes("&")) {
  const [key, ...said] = location.hash.split("&");
  const address = new URL(location.href);
  for (const [name, value] of new URLSearchParams(said.join("&"))) address.searchParams.set(name, value);
  address.hash = key;
  history.replaceState(null, "", address);
}

/** What the link says. */
export const link = new URLSearchParams(location.search);
