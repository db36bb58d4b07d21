-- The audience store: tables. Event times are bigint milliseconds UTC; NULL in valid_until means "never by itself";
-- instants of writing are timestamptz. Every table lives in schema muster; functions and views follow in later files.

CREATE SCHEMA IF NOT EXISTS muster;
SET search_path = muster, pg_temp;

-- Settings that change the meaning of what is stored (clock, partitions, dedup, skew, topics, consent defaults).
CREATE TABLE settings (
    name  text PRIMARY KEY,
    value text NOT NULL
);

-- ---- users -------------------------------------------------------------------------------------------------------

CREATE TABLE users (
    user_no    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    lane       integer NOT NULL,
    deleted_at bigint, -- event time of the newest delete message; what was consented up to then no longer counts
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- The one table (besides raw messages) that holds identifiers. Today one identifier leads to one user.
CREATE TABLE user_ids (
    user_id text COLLATE "C" PRIMARY KEY,
    user_no bigint NOT NULL REFERENCES users
);
CREATE INDEX user_ids_user_no ON user_ids (user_no);

-- ---- definitions -------------------------------------------------------------------------------------------------

CREATE TABLE segments (
    segment_no integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    segment_id text COLLATE "C" NOT NULL UNIQUE
);

-- What a membership's consent is checked against. A definition on legitimate interest uses the purpose's objection row,
-- which begins as allowed and ends with a withdrawal of the purpose.
CREATE TABLE purposes (
    purpose_no      smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    purpose         text COLLATE "C" NOT NULL CHECK (octet_length(purpose) BETWEEN 1 AND 256),
    objection       boolean NOT NULL DEFAULT false,
    allowed_default boolean NOT NULL, -- opt_out, objection: an explicit row is written for every user
    UNIQUE (purpose, objection)
);

CREATE TABLE definitions (
    segment_no  integer NOT NULL REFERENCES segments,
    version     integer NOT NULL CHECK (version > 0),
    document    text NOT NULL,             -- as written
    sha256      bytea NOT NULL,
    author      text NOT NULL,
    commit_id   text NOT NULL DEFAULT '',
    purpose_no  smallint REFERENCES purposes, -- NULL: not subject to consent (contract, legal obligation)
    evaluation  text NOT NULL CHECK (evaluation IN ('hybrid', 'batch', 'stream')),
    merge       text NOT NULL,
    applied_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    retired_at  timestamptz,
    PRIMARY KEY (segment_no, version)
);

-- A version fixes the versions of the segments it refers to.
CREATE TABLE definition_references (
    segment_no     integer NOT NULL,
    version        integer NOT NULL,
    to_segment_no  integer NOT NULL,
    to_version     integer NOT NULL,
    PRIMARY KEY (segment_no, version, to_segment_no),
    FOREIGN KEY (segment_no, version) REFERENCES definitions,
    FOREIGN KEY (to_segment_no, to_version) REFERENCES definitions
);

-- ---- control log -------------------------------------------------------------------------------------------------

-- Numbered under the lock of control_head's row, taken just before COMMIT: order of number is order of commit.
CREATE TABLE control_head (only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row), control_no bigint NOT NULL);
INSERT INTO control_head (control_no) VALUES (0);

CREATE TABLE control (
    control_no  bigint PRIMARY KEY,
    kind        text NOT NULL CHECK (kind IN (
        'definition_applied', 'definition_retired', 'load_completed', 'run_activated', 'build_begun', 'build_ready',
        'consent_granted', 'consent_withdrawn', 'erasure_requested', 'rebuild_requested')),
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    segment_no  integer,
    version     integer,
    user_no     bigint,
    purpose_no  smallint,
    grant_no    bigint,
    load_no     integer,
    run_no      bigint,
    build_no    integer,
    lane        integer,
    at          bigint, -- event time of what is announced, where it has one
    detail      text NOT NULL DEFAULT ''
);

-- ---- archive and loads -------------------------------------------------------------------------------------------

CREATE TABLE loads (
    load_no      integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source       text NOT NULL,             -- file name
    sha256       bytea NOT NULL,
    mapping      bytea,                     -- SHA-256 of the mapping file
    state        text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'completed')),
    line_next    bigint NOT NULL DEFAULT 1, -- durable: lines before it are archived or quarantined
    events       bigint NOT NULL DEFAULT 0,
    quarantined  bigint NOT NULL DEFAULT 0,
    event_time_max bigint,
    begun_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    completed_at timestamptz
);
CREATE UNIQUE INDEX loads_once ON loads (sha256, coalesce(mapping, '\x'::bytea));

-- Every accepted message as it came, partitioned by lane (partitions are made by migrate). Log rows have topic_no and
-- log_offset; file rows have load_no and line.
CREATE TABLE archive (
    lane       integer NOT NULL,
    user_no    bigint NOT NULL,
    event_time bigint NOT NULL,
    topic_no   smallint,  -- index into the configured topics
    log_offset bigint,
    load_no    integer,
    line       bigint,
    message    text NOT NULL,
    CHECK ((topic_no IS NULL) = (log_offset IS NULL) AND (load_no IS NULL) = (line IS NULL)
           AND (topic_no IS NULL) <> (load_no IS NULL))
) PARTITION BY LIST (lane);

-- How far the log is archived, advanced by compare-and-set on offset_next in the transaction that archives.
CREATE TABLE archive_progress (
    topic_no       smallint NOT NULL,
    lane           integer NOT NULL,
    offset_begin   bigint NOT NULL,  -- first offset the log still held when archiving began
    offset_next    bigint NOT NULL,
    event_time_max bigint,
    at_end         boolean NOT NULL DEFAULT false, -- the last read reached the end that the partition had at read_at
    read_at        bigint NOT NULL DEFAULT 0,      -- wall clock in ms
    PRIMARY KEY (topic_no, lane)
);

CREATE TABLE quarantine (
    quarantine_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    recorded_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    source        text NOT NULL, -- 'load', 'archive', 'stream'
    topic_no      smallint,
    lane          integer,
    log_offset    bigint,
    load_no       integer,
    line          bigint,
    reason        text NOT NULL,
    detail        text NOT NULL,
    message       bytea NOT NULL -- at most 64 KiB of it
);
-- A message read again after a crash is quarantined once per reader.
CREATE UNIQUE INDEX quarantine_log ON quarantine (source, topic_no, lane, log_offset) WHERE topic_no IS NOT NULL;
CREATE UNIQUE INDEX quarantine_file ON quarantine (load_no, line) WHERE load_no IS NOT NULL;

-- ---- batch runs --------------------------------------------------------------------------------------------------

CREATE TABLE runs (
    run_no      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    state       text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'activated', 'failed', 'abandoned')),
    as_of       bigint NOT NULL,
    snapshot_at timestamptz NOT NULL, -- when its input was read
    control_no  bigint NOT NULL,      -- the newest control line its snapshot contains
    backfill    boolean NOT NULL DEFAULT false,
    program     text NOT NULL,
    begun_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    activated_at timestamptz
);

-- Per topic and lane the greatest offset such that every event at or below it was input (-1: none).
CREATE TABLE run_coverage (
    run_no      bigint NOT NULL REFERENCES runs,
    topic_no    smallint NOT NULL,
    lane        integer NOT NULL,
    offset_last bigint NOT NULL,
    PRIMARY KEY (run_no, topic_no, lane)
);
CREATE TABLE run_loads (
    run_no  bigint NOT NULL REFERENCES runs,
    load_no integer NOT NULL REFERENCES loads,
    PRIMARY KEY (run_no, load_no)
);

-- The run ledger: one row per step and lane (lane -1: the whole run).
CREATE TABLE run_steps (
    run_no      bigint NOT NULL REFERENCES runs,
    step        text NOT NULL CHECK (step IN ('plan', 'collect', 'validate', 'evaluate', 'rank', 'publish', 'activate')),
    lane        integer NOT NULL,
    state       text NOT NULL CHECK (state IN ('running', 'done', 'failed')),
    rows        bigint NOT NULL DEFAULT 0,
    detail      text NOT NULL DEFAULT '',
    begun_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,
    PRIMARY KEY (run_no, step, lane)
);

CREATE TABLE run_segments (
    run_no     bigint NOT NULL REFERENCES runs,
    segment_no integer NOT NULL,
    version    integer NOT NULL,
    state      text NOT NULL CHECK (state IN ('planned', 'done', 'failed')),
    members    bigint NOT NULL DEFAULT 0,
    excluded   bigint NOT NULL DEFAULT 0,
    reason     text NOT NULL DEFAULT '',
    PRIMARY KEY (run_no, segment_no),
    FOREIGN KEY (segment_no, version) REFERENCES definitions
);

CREATE TABLE batch_journal (
    run_no      bigint NOT NULL,
    segment_no  integer NOT NULL,
    version     integer NOT NULL,
    user_no     bigint NOT NULL,
    lane        integer NOT NULL,
    member      boolean NOT NULL,  -- false: excluded (the criteria hold and an exclusion does too)
    entered_at  bigint,
    valid_until bigint,
    purpose_no  smallint,
    grant_no    bigint,            -- the grant it rests on, where purpose_no is set
    written_at  timestamptz NOT NULL DEFAULT clock_timestamp()
) PARTITION BY LIST (run_no);       -- a partition per run, so that an old run is dropped in one step
CREATE INDEX batch_journal_user ON batch_journal (user_no, segment_no);

-- ---- stream lanes, builds, records -------------------------------------------------------------------------------

CREATE TABLE lanes (
    lane       integer PRIMARY KEY,
    epoch      bigint NOT NULL DEFAULT 0,
    step       bigint NOT NULL DEFAULT 0,
    watermark  bigint,              -- NULL: nothing read yet
    control_no bigint NOT NULL DEFAULT 0, -- control lines the owner has taken into account
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE lane_progress (
    lane           integer NOT NULL REFERENCES lanes,
    topic_no       smallint NOT NULL,
    offset_next    bigint NOT NULL,
    event_time_max bigint,
    PRIMARY KEY (lane, topic_no)
);
CREATE TABLE lane_loads (
    lane    integer NOT NULL REFERENCES lanes,
    load_no integer NOT NULL REFERENCES loads,
    PRIMARY KEY (lane, load_no)
);

CREATE TABLE builds (
    build_no   integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    segment_no integer NOT NULL,
    version    integer NOT NULL,
    history    text NOT NULL CHECK (history IN ('archive', 'log')),
    begun_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    FOREIGN KEY (segment_no, version) REFERENCES definitions,
    UNIQUE (segment_no, version)
);
CREATE TABLE build_lanes (
    build_no      integer NOT NULL REFERENCES builds,
    lane          integer NOT NULL REFERENCES lanes,
    complete_from bigint,  -- NULL: minus infinity; 9223372036854775807: never
    ready         boolean NOT NULL DEFAULT false,
    ready_at      timestamptz,
    PRIMARY KEY (build_no, lane)
);

-- Stream records: append-only, in order of (lane, step, seq). Partitioned by lane (partitions are made by migrate).
CREATE TABLE journal (
    lane            integer NOT NULL,
    step            bigint NOT NULL,
    seq             integer NOT NULL,
    build_no        integer NOT NULL,
    segment_no      integer NOT NULL,
    version         integer NOT NULL,
    user_no         bigint NOT NULL,
    member          boolean NOT NULL,
    entered_at      bigint,
    effective_at    bigint NOT NULL,
    valid_until     bigint,
    positions       bigint[] NOT NULL, -- the user's newest folded offset per topic, -1 for none
    certain         boolean NOT NULL,
    uncertain_until bigint,            -- NULL: certain enough; 9223372036854775807: open
    purpose_no      smallint,
    grant_no        bigint,
    epoch           bigint NOT NULL,
    written_at      timestamptz NOT NULL DEFAULT clock_timestamp()
) PARTITION BY LIST (lane);
CREATE INDEX journal_step ON journal USING brin (step) WITH (pages_per_range = 16, autosummarize = on);

-- ---- consent -----------------------------------------------------------------------------------------------------

CREATE SEQUENCE grant_numbers;

-- The present state. Without a row a purpose is not allowed.
CREATE TABLE consent (
    user_no    bigint NOT NULL REFERENCES users,
    purpose_no smallint NOT NULL REFERENCES purposes,
    granted    boolean NOT NULL,
    grant_no   bigint NOT NULL,  -- of the present or last grant; a new one whenever "not allowed" becomes "granted"
    grant_control_no bigint NOT NULL DEFAULT 0, -- control line of that grant; 0: allowed by default, all records count
    changed_at bigint NOT NULL,  -- event time of the change; -9223372036854775808 for a default
    PRIMARY KEY (user_no, purpose_no)
);

CREATE TABLE consent_changes (
    change_no   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_no     bigint NOT NULL,
    purpose_no  smallint NOT NULL,
    granted     boolean NOT NULL,
    changed_at  bigint NOT NULL,  -- as dated by its sender
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    effective   boolean NOT NULL, -- false: older than what was known, no change, or dated too far ahead
    source      text NOT NULL,    -- 'stream', 'load', 'operator', 'delete'
    UNIQUE (user_no, purpose_no, changed_at, granted) -- a message read twice is one change
);

-- Pipeline records that the store dropped because their grant had ended (counted, never an error).
CREATE TABLE dropped_records (
    dropped_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dropped_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    source     text NOT NULL, -- 'journal', 'batch_journal', 'audience', 'sweep'
    row_count  bigint NOT NULL
);

-- ---- effective membership ----------------------------------------------------------------------------------------

CREATE TABLE in_force (
    segment_no integer PRIMARY KEY REFERENCES segments,
    version    integer NOT NULL,
    build_no   integer,
    run_no     bigint,       -- R: the current run of this version
    since      timestamptz NOT NULL DEFAULT clock_timestamp(),
    FOREIGN KEY (segment_no, version) REFERENCES definitions
);

-- One row per (segment, user): the newest evidence of each side and the verdict.
CREATE TABLE audience (
    segment_no  integer NOT NULL,
    user_no     bigint NOT NULL,
    lane        integer NOT NULL,
    -- newest stream record of the build in force
    s_build_no     integer,
    s_step         bigint,
    s_seq          integer,
    s_member       boolean,
    s_entered_at   bigint,
    s_effective_at bigint,
    s_valid_until  bigint,
    s_positions    bigint[],
    s_certain      boolean,
    s_uncertain_until bigint,
    s_grant_no     bigint,
    s_written_at   timestamptz,
    -- record of the current run; NULL run: none looked at yet
    b_run_no      bigint,
    b_verdict     text CHECK (b_verdict IN ('member', 'excluded', 'no')),
    b_entered_at  bigint,
    b_valid_until bigint,
    b_grant_no    bigint,
    -- verdict
    member      boolean NOT NULL DEFAULT false,
    entered_at  bigint,
    valid_until bigint,
    valid_from  bigint,           -- since when the verdict is what it is, event time
    decision    text NOT NULL DEFAULT 'awaiting_batch',
    version     integer,
    build_no    integer,
    run_no      bigint,
    purpose_no  smallint,
    grant_no    bigint,
    history_id  bigint,           -- the history row that made the verdict
    PRIMARY KEY (segment_no, user_no)
) WITH (fillfactor = 85);
CREATE INDEX audience_user ON audience (user_no);
-- Users whose stream record is uncertain for a while: decided again when the watermark passes.
CREATE INDEX audience_uncertain ON audience (lane, s_uncertain_until) WHERE s_uncertain_until IS NOT NULL;
CREATE INDEX audience_expiry ON audience (lane, valid_until) WHERE member AND valid_until IS NOT NULL;

-- ---- history and ledger ------------------------------------------------------------------------------------------

-- Append-only. One row per change of the effective membership, and one per stream record of the deciding build.
CREATE TABLE history (
    history_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    segment_no  integer NOT NULL,
    user_no     bigint NOT NULL,
    change      text NOT NULL CHECK (change IN ('entered', 'exited', 'renewed', 'confirmed')),
    member      boolean NOT NULL,
    valid_from  bigint NOT NULL,   -- event time from which it holds
    entered_at  bigint,
    valid_until bigint,
    decision    text NOT NULL,
    version     integer NOT NULL,
    build_no    integer,
    run_no      bigint,
    lane        integer,
    step        bigint,
    seq         integer,
    positions   bigint[],
    purpose_no  smallint,
    grant_no    bigint,
    as_of       bigint,            -- of the run, where a run decided
    detail      text NOT NULL DEFAULT ''
);
CREATE INDEX history_member ON history (segment_no, user_no, history_id);
CREATE INDEX history_user ON history (user_no);

-- Sealed history: rows with history_id <= last_id and > the previous block's. recorded_at is the "recorded time" of all.
CREATE TABLE blocks (
    block_no      bigint PRIMARY KEY,
    last_id       bigint NOT NULL,
    row_count     bigint NOT NULL,
    recorded_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    previous_hash bytea NOT NULL,
    hash          bytea NOT NULL
);

CREATE UNIQUE INDEX blocks_last_id ON blocks (last_id);

-- ---- reconciler --------------------------------------------------------------------------------------------------

CREATE TABLE reconcile_lanes (
    lane    integer PRIMARY KEY,
    step    bigint NOT NULL DEFAULT 0, -- journal rows up to this step are merged
    watermark bigint                   -- the lane watermark the last pass used
);
CREATE TABLE reconcile_state (
    only_row   boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    pass_no    bigint NOT NULL DEFAULT 0,
    control_no bigint NOT NULL DEFAULT 0,
    passed_at  timestamptz
);
INSERT INTO reconcile_state DEFAULT VALUES;
-- (segment, lane) whose lane has come to cover R: decided for all users concerned once.
CREATE TABLE reconcile_covered (
    segment_no integer NOT NULL,
    lane       integer NOT NULL,
    run_no     bigint,
    build_no   integer,
    complete   boolean NOT NULL,
    covered    boolean NOT NULL,
    PRIMARY KEY (segment_no, lane)
);

CREATE TABLE publication (
    target     text PRIMARY KEY CHECK (target IN ('redis')),
    history_id bigint NOT NULL DEFAULT 0,  -- published up to here
    rebuild_no bigint NOT NULL DEFAULT 0,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
INSERT INTO publication (target) VALUES ('redis');
-- Withdrawals to be removed from serving at once.
CREATE TABLE removals (
    removal_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_no    bigint NOT NULL,
    queued_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE divergence (
    divergence_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    measured_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    segment_no  integer NOT NULL,
    run_no      bigint NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('raw', 'aligned')),
    comparable  boolean NOT NULL,
    reason      text NOT NULL DEFAULT '', -- why it is not comparable yet
    at          bigint NOT NULL,          -- instant compared: as_of, or the watermark for raw
    batch_members  bigint NOT NULL,
    stream_members bigint NOT NULL,
    only_batch  bigint NOT NULL,
    only_stream bigint NOT NULL,
    jaccard_micros bigint NOT NULL,
    causes      text NOT NULL DEFAULT '{}' -- JSON: cause -> count, with examples
);
CREATE INDEX divergence_segment ON divergence (segment_no, divergence_no);

CREATE TABLE alerts (
    alert_no    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind        text NOT NULL,  -- 'divergence', 'freshness', ...
    subject     text NOT NULL,  -- segment id or lane
    state       text NOT NULL CHECK (state IN ('raised', 'resolved')),
    message     text NOT NULL,
    raised_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    resolved_at timestamptz
);
CREATE UNIQUE INDEX alerts_open ON alerts (kind, subject) WHERE state = 'raised';
