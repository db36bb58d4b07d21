-- The members of the definitions of rules_20.json at AS_OF, from the file of JSON lines: one query, written by hand as
-- DuckDB likes it (measured against one aggregation with a FILTER for each measure, which takes twice as long). The file
-- is read once with the columns that the rules need, one aggregation removes copies, and each rule looks at the events
-- that it names. EVENTS stands for the file.
WITH
lines AS (
    SELECT "messageId" AS id, "userId" AS user_id, "timestamp" AS t, coalesce(event, type) AS event, properties AS p, traits
    FROM read_json('EVENTS', format = 'newline_delimited', columns = {
        type: 'VARCHAR', "messageId": 'VARCHAR', "userId": 'VARCHAR', "timestamp": 'TIMESTAMP', event: 'VARCHAR',
        properties: 'STRUCT(sku VARCHAR, category VARCHAR, price DECIMAL(18, 6), quantity DECIMAL(18, 6), discounted BOOLEAN, plan VARCHAR)',
        traits: 'STRUCT(tier VARCHAR, trial_ends TIMESTAMP)'})
    WHERE "timestamp" <= TIMESTAMP 'AS_OF'
),
events AS MATERIALIZED (
    SELECT user_id, any_value(t) AS t, any_value(event) AS event, any_value(p.sku) AS sku, any_value(p.category) AS category,
        any_value(p.price) AS price, any_value(p.quantity) AS quantity, any_value(p.discounted) AS discounted,
        any_value(p.plan) AS plan, any_value(traits.tier) AS tier, any_value(traits.trial_ends) AS trial_ends
    FROM lines GROUP BY user_id, id
),
purchases AS MATERIALIZED (SELECT * FROM events WHERE event = 'purchase'),
carts AS MATERIALIZED (SELECT user_id, t, price FROM events WHERE event = 'add_to_cart'),
views AS MATERIALIZED (SELECT user_id, t, sku, price FROM events
    WHERE event = 'product_viewed' AND t > TIMESTAMP 'AS_OF' - INTERVAL 31 DAY),
refunds AS MATERIALIZED (SELECT user_id, t FROM events WHERE event = 'order_refunded'),
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
    SELECT user_id, t, lag(t) OVER (PARTITION BY user_id ORDER BY t) AS before FROM events
    WHERE event IN ('support_ticket_opened', 'order_refunded', 'payment_entered', 'coupon_denied')
        AND t > TIMESTAMP 'AS_OF' - INTERVAL 10 DAY
)
SELECT 'cart_abandoned', user_id FROM
    (SELECT user_id, max(t) AS last FROM carts WHERE t <= TIMESTAMP 'AS_OF' - INTERVAL 30 MINUTE GROUP BY user_id
        HAVING max(t) > TIMESTAMP 'AS_OF' - INTERVAL 1470 MINUTE) AS c
    WHERE NOT EXISTS (SELECT 1 FROM buyers AS b WHERE b.user_id = c.user_id AND b.last >= c.last)
UNION ALL SELECT 'frequent_buyers', user_id FROM buyers WHERE d30 >= 3
UNION ALL SELECT 'big_spenders', user_id FROM buyers WHERE spent >= 400
UNION ALL SELECT 'expensive_taste', user_id FROM views WHERE t > TIMESTAMP 'AS_OF' - INTERVAL 30 DAY
    GROUP BY user_id HAVING count(*) >= 3 AND sum(price) > 150 * count(price)
UNION ALL SELECT 'shoe_browsers', user_id FROM events WHERE event IN ('product_viewed', 'product_clicked')
    AND category = 'shoes' AND t > TIMESTAMP 'AS_OF' - INTERVAL 14 DAY GROUP BY user_id HAVING count(*) >= 2
UNION ALL SELECT 'explorers', user_id FROM
    (SELECT DISTINCT user_id, sku FROM views WHERE t > TIMESTAMP 'AS_OF' - INTERVAL 21 DAY)
    GROUP BY user_id HAVING count(*) >= 4
UNION ALL SELECT 'regulars', user_id FROM events WHERE event <> 'identify' AND t > TIMESTAMP 'AS_OF' - INTERVAL 30 DAY
    GROUP BY user_id HAVING bit_count(bit_or(1::BIGINT << date_diff('day', t, TIMESTAMP 'AS_OF'))) >= 3
UNION ALL SELECT 'lapsed_buyers', user_id FROM buyers WHERE last <= TIMESTAMP 'AS_OF' - INTERVAL 50 DAY
UNION ALL SELECT 'new_buyers', user_id FROM buyers WHERE first >= TIMESTAMP 'AS_OF' - INTERVAL 4 DAY
    AND user_id NOT IN (SELECT user_id FROM refunds WHERE t > TIMESTAMP 'AS_OF' - INTERVAL 30 DAY)
UNION ALL SELECT DISTINCT 'straight_buyers', p.user_id FROM purchases AS p
    JOIN carts AS c ON c.user_id = p.user_id AND c.t BETWEEN p.t - INTERVAL 2 HOUR AND p.t
    JOIN views AS v ON v.user_id = p.user_id AND v.t BETWEEN p.t - INTERVAL 2 HOUR AND c.t
    WHERE p.t > TIMESTAMP 'AS_OF' - INTERVAL 30 DAY
UNION ALL SELECT 'gold_active', user_id FROM
    (SELECT user_id FROM events WHERE event = 'identify' GROUP BY user_id HAVING arg_max(tier, t) = 'gold')
    WHERE user_id IN (SELECT user_id FROM events WHERE event = 'app_opened' AND t > TIMESTAMP 'AS_OF' - INTERVAL 14 DAY)
UNION ALL SELECT 'trial_ending', user_id FROM events WHERE event = 'identify' GROUP BY user_id
    HAVING arg_max(trial_ends, t) BETWEEN TIMESTAMP 'AS_OF' AND TIMESTAMP 'AS_OF' + INTERVAL 7 DAY
UNION ALL SELECT DISTINCT 'silent_subscribers', user_id FROM events AS s WHERE event = 'newsletter_subscribed'
    AND t <= TIMESTAMP 'AS_OF' - INTERVAL 7 DAY AND t > TIMESTAMP 'AS_OF' - INTERVAL 40 DAY
    AND NOT EXISTS (SELECT 1 FROM events AS o WHERE o.event = 'email_opened' AND o.user_id = s.user_id
        AND o.t BETWEEN s.t AND s.t + INTERVAL 7 DAY)
UNION ALL SELECT 'rising_buyers', user_id FROM buyers WHERE d10 > 2 * before
UNION ALL SELECT 'cart_campaign', user_id FROM
    (SELECT user_id FROM carts WHERE t > TIMESTAMP 'AS_OF' - INTERVAL 14 DAY GROUP BY user_id HAVING sum(price) >= 400)
    WHERE user_id NOT IN (SELECT user_id FROM buyers
        WHERE last > TIMESTAMP 'AS_OF' - INTERVAL 14 DAY OR last <= TIMESTAMP 'AS_OF' - INTERVAL 50 DAY)
UNION ALL SELECT 'pro_customers', user_id FROM events WHERE event = 'plan_changed' GROUP BY user_id
    HAVING arg_max(plan, t) IN ('pro', 'team')
UNION ALL SELECT 'monthly_buyers', user_id FROM buyers WHERE in_month >= 2
UNION ALL SELECT DISTINCT 'unhappy', user_id FROM unhappy
    WHERE t > TIMESTAMP 'AS_OF' - INTERVAL 7 DAY AND before > t - INTERVAL 3 DAY
UNION ALL SELECT 'hesitant', user_id FROM
    (SELECT user_id FROM events WHERE event = 'products_searched' AND t > TIMESTAMP 'AS_OF' - INTERVAL 2 DAY
        GROUP BY user_id HAVING count(*) >= 3
     UNION SELECT user_id FROM events WHERE event = 'wishlist_added' AND t > TIMESTAMP 'AS_OF' - INTERVAL 7 DAY
        GROUP BY user_id HAVING count(*) >= 2)
    WHERE user_id NOT IN (SELECT user_id FROM events WHERE event = 'checkout_started' AND t > TIMESTAMP 'AS_OF' - INTERVAL 7 DAY)
UNION ALL SELECT 'luxury_buyers', user_id FROM buyers WHERE dearest >= 250
    AND user_id NOT IN (SELECT user_id FROM refunds WHERE t > TIMESTAMP 'AS_OF' - INTERVAL 60 DAY)
