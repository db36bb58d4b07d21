# Members of r6_top_decile at DATE over the CSV on standard input, computed apart from Muster: exact integers (millionths
# of a pound), the ceil(0.9 N)-th smallest total of the N customers with a line before DATE, everyone at or above it.
# usage: awk -v date="2011-06-01 00:00:00" -f top_decile.awk
BEGIN { FS = "," }
function micros(text,    sign, parts, fraction) {
    sign = sub(/^-/, "", text) ? -1 : 1
    split(text, parts, ".")
    fraction = substr(parts[2] "000000", 1, 6)
    return sign * (parts[1] * 1000000 + fraction)
}
NR > 1 && $(NF - 1) != "" && $(NF - 3) <= date {
    user = $(NF - 1)
    sub(/\.0$/, "", user)
    total[user] += $(NF - 4) * micros($(NF - 2))
}
END {
    for (user in total) {
        values[++count] = total[user]
    }
    for (i = 2; i <= count; i++) { # insertion sort: a few hundred values
        value = values[i]
        for (j = i - 1; j > 0 && values[j] > value; j--) {
            values[j + 1] = values[j]
        }
        values[j + 1] = value
    }
    place = int((90 * count + 99) / 100)
    for (user in total) {
        if (total[user] >= values[place]) {
            print "r6_top_decile," user
        }
    }
}
