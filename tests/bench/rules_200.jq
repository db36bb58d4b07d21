# Ten variants of each definition: the same, for single categories, for other events, as the segments of a shop are.
def categories: ["shoes", "shirts", "trousers", "jackets", "bags", "hats", "sports", "kids", "home", "beauty"];
def others: {
    "purchase": ["payment_entered", "checkout_started", "product_reviewed", "coupon_entered"],
    "add_to_cart": ["cart_viewed", "wishlist_added", "promotion_clicked", "remove_from_cart"],
    "product_viewed": ["product_clicked", "promotion_viewed", "product_list_viewed", "products_searched"],
    "product_clicked": ["promotion_clicked", "push_opened", "email_clicked", "product_shared"],
    "newsletter_subscribed": ["newsletter_unsubscribed", "trial_started", "coupon_denied", "store_located"],
    "email_opened": ["push_opened", "login", "app_opened", "email_clicked"],
    "app_opened": ["login", "app_closed", "push_opened", "video_started"],
    "products_searched": ["login_failed", "banner_closed", "video_started", "store_located"],
    "wishlist_added": ["coupon_entered", "wishlist_removed", "product_shared", "video_finished"]
};
def other($k): if type == "array" then map(other($k)) else (others[.][$k] // .) end;
def countries: ["DE", "AT", "CH", "FR", "NL", "GB"];
def other($k): if type == "array" then map(other($k)) else (others[.][$k] // .) end;
def narrowed($i): .where = (.where // []) + [if .event == "*" then {"property": "channel", "=": ["web", "ios", "store"][$i % 3]}
    else {"property": "category", "=": categories[$i]} end];
# What has no variants by category or event.
def special($i):
    if .segmentId == "pro_customers" then .criteria[0].window = "\($i * 3)d"
    elif .segmentId == "trial_ending" then .criteria += [{"trait": "country", "=": countries[$i % 6]}]
        | .criteria[0].until["<="] = "\($i)d"
    elif .segmentId == "regulars" and $i % 2 == 0 then .criteria[0].distinct[">="] = 3 + $i / 2
    elif .segmentId == "unhappy" and $i % 2 == 0 then .criteria[0] |= narrowed($i) | .criteria[0].count[">="] = 1
    else . end;
def variant($i):
    special($i)
    | if $i % 2 == 1 then walk(if type == "object" and has("event") and .event != "plan_changed" and
        (.event | tostring | startswith("newsletter") | not) then narrowed($i) else . end)
      else walk(if type == "object" and has("event") then .event |= other($i / 2 - 1) else . end) end
    | .segmentId += "_\($i)";
[.[] as $definition | $definition, (range(1; 10) as $i | $definition | variant($i))]
