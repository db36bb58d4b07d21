SELECT c.user_no, c.purpose_no, c.grant_no FROM consent c JOIN users u USING (user_no) WHERE c.granted AND u.lane = $1::integer
