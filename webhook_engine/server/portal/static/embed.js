// For the platform's pages: <webhook-portal src="LINK"></webhook-portal> embeds the portal at its full height, without
// anything to install. The attributes theme, language, primary-color and font-family may change at any time.
(() => {
  const NAME = "webhook-portal";
  const LOOKS = { theme: "theme", language: "language", "primary-color": "primaryColor", "font-family": "fontFamily" };
  const IN_LINK = { language: "lang", icon: "icon", next: "next" };
  const FIRST_HEIGHT = "600px";
  const GAP_PX = 16;

  class WebhookPortal extends HTMLElement {
    static observedAttributes = ["src", ...Object.keys(LOOKS)];

    connectedCallback() {
      this.frame ??= this.framed();
      this.hear = ({ data, source, origin }) => {
        if (source !== this.frame.contentWindow || origin !== this.origin || data?.source !== NAME) return;
        if (data.ready) this.tell();
        if (typeof data.height === "number") this.frame.style.height = `${data.height}px`;
        if (data.turned) this.show();
        this.look();
      };
      this.look = () => this.frame.isConnected && this.tell(this.seen());
      addEventListener("message", this.hear);
      addEventListener("scroll", this.look, { passive: true, capture: true });
      addEventListener("resize", this.look, { passive: true });
      this.append(this.frame);
      this.open();
    }

    disconnectedCallback() {
      removeEventListener("message", this.hear);
      removeEventListener("scroll", this.look, { capture: true });
      removeEventListener("resize", this.look);
    }

    attributeChangedCallback(name, before, now) {
      if (!this.frame || before === now) return;
      if (name === "src") this.open();
      else this.tell();
    }

    framed() {
      const frame = document.createElement("iframe");
      frame.title = this.getAttribute("title") || "Webhooks";
      frame.allow = "clipboard-write";
      frame.style.cssText = `display: block; width: 100%; height: ${FIRST_HEIGHT}; border: 0;`;
      return frame;
    }

    open() {
      const src = this.getAttribute("src");
      if (!src) return;
      const url = new URL(src, document.baseURI);
      if (!/^https?:$/.test(url.protocol)) return;
      for (const [name, parameter] of Object.entries({ ...LOOKS, ...IN_LINK })) {
        const value = this.getAttribute(name);
        if (value) url.searchParams.set(parameter, value);
      }
      this.origin = url.origin;
      if (this.opened === url.href) return;
      this.opened = url.href;
      this.frame.src = url.href;
    }

    /** Send the appearance, or another message, to the portal. */
    tell(what = this.looks()) {
      if (this.origin) this.frame.contentWindow?.postMessage({ source: NAME, ...what }, this.origin);
    }

    looks() {
      const said = Object.entries(LOOKS).map(([name, key]) => [key, this.getAttribute(name)]);
      return Object.fromEntries(said.filter(([, value]) => value));
    }

    /** Send which part of the portal is visible, in pixels from its top. */
    seen() {
      const { top, bottom } = this.frame.getBoundingClientRect();
      return { seenTop: Math.max(0, -top), seenBottom: Math.max(0, Math.min(bottom, innerHeight) - top) };
    }

    /** Scroll to the top of the portal, if that is above the visible part. */
    show() {
      const { top } = this.frame.getBoundingClientRect();
      if (top < 0) scrollBy({ top: top - GAP_PX });
    }
  }

  if (!customElements.get(NAME)) customElements.define(NAME, WebhookPortal);
})();
