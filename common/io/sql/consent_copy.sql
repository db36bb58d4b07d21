COPY (SELECT c.user_no, c.purpose_no, c.grant_no FROM consent c WHERE c.granted) TO STDOUT (FORMAT binary)
