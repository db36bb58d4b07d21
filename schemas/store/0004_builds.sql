-- A segment version may have several builds, one life after the other: where the log no longer holds what a build has read, and it
-- still matters, the next one begins beside it. Each lane says where the history of its build began, so that this can be seen.
-- What depends on calendars says which time zone database it was computed with.
ALTER TABLE builds ADD COLUMN life integer NOT NULL DEFAULT 1 CHECK (life > 0);
ALTER TABLE builds DROP CONSTRAINT builds_segment_no_version_key;
ALTER TABLE builds ADD UNIQUE (segment_no, version, life);

-- Per topic the first offset of the history that the build was caught up from; NULL: from the beginning (or not known, which is taken
-- for the beginning). And the lane's next offsets when it became ready: what lies below is announced as far as it makes members.
ALTER TABLE build_lanes ADD COLUMN history_begin bigint[];
ALTER TABLE build_lanes ADD COLUMN offsets_ready bigint[];

-- The version of the time zone database that the lane's states, or the run's memberships, were computed with; empty: not known.
ALTER TABLE build_lanes ADD COLUMN tz_version text NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN tz_version text NOT NULL DEFAULT '';
