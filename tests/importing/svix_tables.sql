-- The tables of a Svix server that are read, with the columns that matter and some that do not.
DROP TABLE IF EXISTS application, applicationmetadata, endpoint, endpointmetadata, eventtype, message, messagecontent;
CREATE TABLE application (
    id varchar COLLATE "C" PRIMARY KEY, created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL,
    org_id varchar COLLATE "C" NOT NULL, uid varchar COLLATE "C", name varchar NOT NULL, rate_limit integer,
    deleted boolean NOT NULL DEFAULT false
);
CREATE TABLE applicationmetadata (
    id varchar COLLATE "C" PRIMARY KEY, created_at timestamptz, updated_at timestamptz, data jsonb NOT NULL
);
CREATE TABLE endpoint (
    id varchar COLLATE "C" PRIMARY KEY, created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL,
    app_id varchar COLLATE "C" NOT NULL, key bytea NOT NULL, url varchar NOT NULL, description varchar NOT NULL DEFAULT '',
    event_types_ids jsonb, version integer NOT NULL DEFAULT 1, rate_limit integer, deleted boolean NOT NULL DEFAULT false,
    disabled boolean NOT NULL DEFAULT false, first_failure_at timestamptz, uid varchar COLLATE "C", old_keys jsonb,
    channels jsonb, headers jsonb, filter text
);
CREATE TABLE endpointmetadata (
    id varchar COLLATE "C" PRIMARY KEY, created_at timestamptz, updated_at timestamptz, data jsonb NOT NULL
);
CREATE TABLE eventtype (
    id varchar COLLATE "C" PRIMARY KEY, created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL,
    org_id varchar COLLATE "C" NOT NULL, description varchar NOT NULL, deleted boolean NOT NULL DEFAULT false,
    schemas json, name varchar NOT NULL, feature_flag text, deprecated boolean NOT NULL DEFAULT false
);
CREATE TABLE message (
    id varchar COLLATE "C" PRIMARY KEY, created_at timestamptz NOT NULL, org_id varchar COLLATE "C" NOT NULL,
    app_id varchar COLLATE "C" NOT NULL, event_type varchar NOT NULL, uid varchar, payload jsonb, channels jsonb
);
CREATE TABLE messagecontent (
    id varchar COLLATE "C" PRIMARY KEY, created_at timestamptz NOT NULL, payload bytea NOT NULL, expiration timestamptz
);
