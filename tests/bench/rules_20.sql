-- The members of the definitions of rules_20.json at AS_OF, from the file of JSON lines: one query, written by hand as
-- DuckDB likes it best of what was tried. EVENTS stands for the file.
--
-- Reading the JSON takes two thirds of the time (explicit types are the fastest way), so the rest is kept small:
-- * the file is read once and its events are never stored: each part that reads them filters and aggregates, so DuckDB
--   hands each chunk of rows to all parts as it is read. One part that only filters, or that joins (as a long IN list
--   does), makes it store every event, a sixth more;
-- * copies are removed after the filter, of the few events that a rule counts or adds up; a greatest time, a last trait,
--   the different days or whether there is one at all are the same with copies. Removing all copies first costs half as
--   much again;
-- * times come first in a condition: they are cheaper to compare than names.
WITH
events AS MATERIALIZED (
    SELECT type, "messageId" AS id, "userId" AS user_id, "timestamp" AS t, event, properties.sku AS sku,
        properties.category AS category, properties.price AS price, properties.quantity AS quantity,
        properties.discounted AS discounted, properties.plan AS plan, traits.tier AS tier, traits.trial_ends AS trial_ends
    FROM read_json('EVENTS', format = 'newline_delimited', columns = {
        type: 'VARCHAR', "messageId": 'VARCHAR', "userId": 'VARCHAR', "timestamp": 'TIMESTAMP', event: 'VARCHAR',
        properties: 'STRUCT(sku VARCHAR, category VARCHAR, price DECIMAL(18, 6), quantity DECIMAL(18, 6), discounted BOOLEAN, plan VARCHAR)',
        traits: 'STRUCT(tier VARCHAR, trial_ends TIMESTAMP)'})
    WHERE "timestamp" <= TIMESTAMP 'AS_OF'
),
purchases AS MATERIALIZED (
    SELECT user_id, any_value(t) AS t, any_value(price) AS price, any_value(quantity) AS quantity,
        any_value(discounted) AS discounted
    FROM events WHERE event = 'purchase' GROUP BY user_id, id
),
carts AS MATERIALIZED (
    SELECT user_id, any_value(t) AS t, any_value(price) AS price
    FROM events WHERE t > TIMESTAMP 'AS_OF' - INTERVAL 31 DAY AND event = 'add_to_cart' GROUP BY user_id, id
),
views AS MATERIALIZED (
    SELECT user_id, any_value(t) AS t, any_value(sku) AS sku, any_value(price) AS price,
        any_value(event = 'product_viewed') AS viewed, any_value(category = 'shoes') AS shoes
    FROM events WHERE t > TIMESTAMP 'AS_OF' - INTERVAL 31 DAY AND (event = 'product_viewed' OR event = 'product_clicked')
    GROUP BY user_id, id
),
rarities AS MATERIALIZED (
    SELECT user_id, any_value(t) AS t, any_value(event) AS event
    FROM events WHERE t > TIMESTAMP 'AS_OF' - INTERVAL 10 DAY
        AND (event = 'products_searched' OR event = 'wishlist_added' OR event = 'payment_entered'
            OR event = 'order_refunded' OR event = 'support_ticket_opened' OR event = 'coupon_denied')
    GROUP BY user_id, id
),
marks AS MATERIALIZED (
    SELECT DISTINCT user_id, t, event, plan
    FROM events WHERE (t > TIMESTAMP 'AS_OF' - INTERVAL 14 DAY AND (event = 'app_opened' OR event = 'checkout_started'))
        OR (t > TIMESTAMP 'AS_OF' - INTERVAL 40 DAY AND (event = 'email_opened' OR event = 'newsletter_subscribed'))
        OR event = 'order_refunded' OR event = 'plan_changed'
),
days AS MATERIALIZED (
    SELECT user_id, bit_or(1::UINTEGER << (TIMESTAMP 'AS_OF'::DATE - t::DATE)::UINTEGER) AS days
    FROM events WHERE t > TIMESTAMP 'AS_OF' - INTERVAL 30 DAY AND type <> 'identify' GROUP BY user_id
),
traits AS MATERIALIZED (
    SELECT user_id, arg_max(tier, t) AS tier, arg_max(trial_ends, t) AS trial_ends
    FROM events WHERE tier IS NOT NULL OR trial_ends IS NOT NULL GROUP BY user_id
),
buyers AS MATERIALIZED (
    SELECT user_id, min(t) AS first, max(t) AS last,
        count(*) FILTER (t > TIMESTAMP 'AS_OF' - INTERVAL 30 DAY) AS d30,
        count(*) FILTER (t > TIMESTAMP 'AS_OF' - INTERVAL 10 DAY) AS d10,
        count(*) FILTER (t > TIMESTAMP 'AS_OF' - INTERVAL 20 DAY AND t <= TIMESTAMP 'AS_OF' - INTERVAL 10 DAY) AS before,
        count(*) FILTER (t >= date_trunc('month', TIMESTAMP 'AS_OF')) AS in_month,
        sum(round(price * quantity, 6)) FILTER (t > TIMESTAMP 'AS_OF' - INTERVAL 45 DAY) AS spent,
        max(price) FILTER (NOT discounted AND t > TIMESTAMP 'AS_OF' - INTERVAL 60 DAY) AS dearest
    FROM purchases GROUP BY user_id
),
unhappy AS (
    SELECT user_id, t, lag(t) OVER (PARTITION BY user_id ORDER BY t) AS before FROM rarities
    WHERE event IN ('support_ticket_opened', 'order_refunded', 'payment_entered', 'coupon_denied')
)
SELECT 'cart_abandoned', user_id FROM
    (SELECT user_id, max(t) AS last FROM carts WHERE t <= TIMESTAMP 'AS_OF' - INTERVAL 30 MINUTE GROUP BY user_id
        HAVING max(t) > TIMESTAMP 'AS_OF' - INTERVAL 1470 MINUTE) AS c
    WHERE NOT EXISTS (SELECT 1 FROM buyers AS b WHERE b.user_id = c.user_id AND b.last >= c.last)
UNION ALL SELECT 'frequent_buyers', user_id FROM buyers WHERE d30 >= 3
UNION ALL SELECT 'big_spenders', user_id FROM buyers WHERE spent >= 400
UNION ALL SELECT 'expensive_taste', user_id FROM views WHERE viewed AND t > TIMESTAMP 'AS_OF' - INTERVAL 30 DAY
    GROUP BY user_id HAVING count(*) >= 3 AND sum(price) > 150 * count(price)
UNION ALL SELECT 'shoe_browsers', user_id FROM views WHERE shoes AND t > TIMESTAMP 'AS_OF' - INTERVAL 14 DAY
    GROUP BY user_id HAVING count(*) >= 2
UNION ALL SELECT 'explorers', user_id FROM views WHERE viewed AND t > TIMESTAMP 'AS_OF' - INTERVAL 21 DAY
    GROUP BY user_id HAVING count(DISTINCT sku) >= 4
UNION ALL SELECT 'regulars', user_id FROM days WHERE bit_count(days) >= 3
UNION ALL SELECT 'lapsed_buyers', user_id FROM buyers WHERE last <= TIMESTAMP 'AS_OF' - INTERVAL 50 DAY
UNION ALL SELECT 'new_buyers', user_id FROM buyers WHERE first >= TIMESTAMP 'AS_OF' - INTERVAL 4 DAY
    AND user_id NOT IN (SELECT user_id FROM marks WHERE event = 'order_refunded' AND t > TIMESTAMP 'AS_OF' - INTERVAL 30 DAY)
UNION ALL SELECT DISTINCT 'straight_buyers', p.user_id FROM purchases AS p
    JOIN carts AS c ON c.user_id = p.user_id AND c.t BETWEEN p.t - INTERVAL 2 HOUR AND p.t
    JOIN views AS v ON v.user_id = p.user_id AND v.t BETWEEN p.t - INTERVAL 2 HOUR AND c.t
    WHERE p.t > TIMESTAMP 'AS_OF' - INTERVAL 30 DAY AND v.viewed
UNION ALL SELECT 'gold_active', user_id FROM traits WHERE tier = 'gold' AND user_id IN
    (SELECT user_id FROM marks WHERE event = 'app_opened' AND t > TIMESTAMP 'AS_OF' - INTERVAL 14 DAY)
UNION ALL SELECT 'trial_ending', user_id FROM traits
    WHERE trial_ends BETWEEN TIMESTAMP 'AS_OF' AND TIMESTAMP 'AS_OF' + INTERVAL 7 DAY
UNION ALL SELECT DISTINCT 'silent_subscribers', user_id FROM marks AS s WHERE event = 'newsletter_subscribed'
    AND t <= TIMESTAMP 'AS_OF' - INTERVAL 7 DAY AND t > TIMESTAMP 'AS_OF' - INTERVAL 40 DAY
    AND NOT EXISTS (SELECT 1 FROM marks AS o WHERE o.event = 'email_opened' AND o.user_id = s.user_id
        AND o.t BETWEEN s.t AND s.t + INTERVAL 7 DAY)
UNION ALL SELECT 'rising_buyers', user_id FROM buyers WHERE d10 > 2 * before
UNION ALL SELECT 'cart_campaign', user_id FROM
    (SELECT user_id FROM carts WHERE t > TIMESTAMP 'AS_OF' - INTERVAL 14 DAY GROUP BY user_id HAVING sum(price) >= 400)
    WHERE user_id NOT IN (SELECT user_id FROM buyers
        WHERE last > TIMESTAMP 'AS_OF' - INTERVAL 14 DAY OR last <= TIMESTAMP 'AS_OF' - INTERVAL 50 DAY)
UNION ALL SELECT 'pro_customers', user_id FROM marks WHERE event = 'plan_changed' GROUP BY user_id
    HAVING arg_max(plan, t) IN ('pro', 'team')
UNION ALL SELECT 'monthly_buyers', user_id FROM buyers WHERE in_month >= 2
UNION ALL SELECT DISTINCT 'unhappy', user_id FROM unhappy
    WHERE t > TIMESTAMP 'AS_OF' - INTERVAL 7 DAY AND before > t - INTERVAL 3 DAY
UNION ALL SELECT 'hesitant', user_id FROM
    (SELECT user_id FROM rarities WHERE event = 'products_searched' AND t > TIMESTAMP 'AS_OF' - INTERVAL 2 DAY
        GROUP BY user_id HAVING count(*) >= 3
     UNION SELECT user_id FROM rarities WHERE event = 'wishlist_added' AND t > TIMESTAMP 'AS_OF' - INTERVAL 7 DAY
        GROUP BY user_id HAVING count(*) >= 2)
    WHERE user_id NOT IN (SELECT user_id FROM marks WHERE event = 'checkout_started' AND t > TIMESTAMP 'AS_OF' - INTERVAL 7 DAY)
UNION ALL SELECT 'luxury_buyers', user_id FROM buyers WHERE dearest >= 250
    AND user_id NOT IN (SELECT user_id FROM marks WHERE event = 'order_refunded' AND t > TIMESTAMP 'AS_OF' - INTERVAL 60 DAY)
