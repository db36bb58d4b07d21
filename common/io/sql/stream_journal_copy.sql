COPY journal (lane, step, seq, build_no, segment_no, version, user_no, member, entered_at, effective_at, valid_until, positions,
              certain, uncertain_until, purpose_no, grant_no, epoch)
FROM STDIN (FORMAT binary)
