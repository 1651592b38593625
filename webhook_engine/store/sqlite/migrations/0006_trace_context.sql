-- Where a message came from, for those who trace it: it is read only together with the payload, and NULL costs nothing.

ALTER TABLE webhook_message ADD COLUMN trace_context TEXT; -- traceparent, and after a line break tracestate
