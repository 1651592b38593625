// Settings of a link apply for as long as the page is open: move them from behind the key into the query, before any
// other module reads it.

const KEY = "#key=";

if (location.hash.startsWith(KEY) && location.hash.includes("&")) {
  const [key, ...said] = location.hash.split("&");
  const address = new URL(location.href);
  for (const [name, value] of new URLSearchParams(said.join("&"))) address.searchParams.set(name, value);
  address.hash = key;
  history.replaceState(null, "", address);
}

/** The settings of the link. */
export const link = new URLSearchParams(location.search);
