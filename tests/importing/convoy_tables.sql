-- The tables of Convoy that are read, with the columns that matter and some that do not.
CREATE EXTENSION IF NOT EXISTS pgcrypto;
DROP SCHEMA IF EXISTS convoy CASCADE;
CREATE SCHEMA convoy;
CREATE TABLE convoy.projects (
    id varchar PRIMARY KEY, name text NOT NULL, type text NOT NULL, created_at timestamptz DEFAULT now(),
    deleted_at timestamptz
);
CREATE TABLE convoy.event_types (
    id varchar PRIMARY KEY, name varchar NOT NULL, description text, project_id varchar NOT NULL, category varchar,
    created_at timestamptz NOT NULL DEFAULT now(), deprecated_at timestamptz, json_schema jsonb DEFAULT '{}'
);
CREATE TABLE convoy.endpoints (
    id varchar PRIMARY KEY, name text NOT NULL, status text NOT NULL, owner_id text, url text NOT NULL, description text,
    http_timeout integer NOT NULL DEFAULT 10, rate_limit integer NOT NULL DEFAULT 0,
    rate_limit_duration integer NOT NULL DEFAULT 0, advanced_signatures boolean NOT NULL DEFAULT true,
    slack_webhook_url text, support_email text, project_id varchar NOT NULL, authentication_type text,
    authentication_type_api_key_header_name text, authentication_type_api_key_header_value text, secrets jsonb,
    created_at timestamptz DEFAULT now(), deleted_at timestamptz, is_encrypted boolean NOT NULL DEFAULT false,
    secrets_cipher bytea, authentication_type_api_key_header_value_cipher bytea
);
CREATE TABLE convoy.subscriptions (
    id varchar PRIMARY KEY, name text NOT NULL, type text NOT NULL, project_id varchar NOT NULL, endpoint_id varchar,
    retry_config_retry_count integer NOT NULL DEFAULT 0, filter_config_event_types text[] NOT NULL,
    filter_config_filter_headers jsonb NOT NULL DEFAULT '{}', filter_config_filter_body jsonb NOT NULL DEFAULT '{}',
    function text, deleted_at timestamptz
);
CREATE TABLE convoy.events (
    id varchar PRIMARY KEY, event_type text NOT NULL, endpoints text, project_id varchar NOT NULL, raw text NOT NULL,
    data bytea NOT NULL, created_at timestamptz DEFAULT now(), deleted_at timestamptz
);
CREATE TABLE convoy.events_endpoints (event_id varchar NOT NULL, endpoint_id varchar NOT NULL);
