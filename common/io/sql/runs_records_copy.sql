COPY batch_journal (run_no, segment_no, version, user_no, lane, member, entered_at, valid_until, purpose_no, grant_no)
FROM STDIN (FORMAT binary)
