-- Whether anything names the purpose $1 ("marketing" is every definition's default), and those that are named.
WITH named AS (
    SELECT 'marketing' AS purpose
    UNION SELECT purpose FROM purposes
    UNION SELECT substr(name, 9) FROM settings WHERE name LIKE 'consent.%'
)
SELECT bool_or(purpose = $1), string_agg(purpose, ', ' ORDER BY purpose) FROM named;
