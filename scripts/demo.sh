#!/bin/sh
# The whole path in one go: fit, evaluate, explain, compare. Run by `make demo`.
set -eu
run() {
    printf '\n$ %s\n' "$*"
    "$@"
}
quoted() {
    printf '\n$ diamond-pricing compare '"'%s' '%s'"'\n' "$1" "$2"
    diamond-pricing compare "$1" "$2" --model demo/model.json
}

mkdir -p demo
run diamond-pricing fit --family loglinear --out demo/loglinear.json
run diamond-pricing fit --out demo/model.json
run diamond-pricing evaluate --folds 3
run diamond-pricing explain --carat 1.01 --cut Ideal --color E --clarity VS1 \
    --model demo/model.json --html demo/explanation.html | tee demo/explanation.txt
quoted '1.01 Ideal E VS1' '0.70 Very Good G VS2'
printf '\n$ diamond-pricing report quote --stone "1.01 Ideal E VS1" …\n'
diamond-pricing report quote --stone '1.01 Ideal E VS1' --model demo/model.json --to html,pdf --out demo

cat <<'END'

Written: demo/model.json, demo/loglinear.json (the two models), demo/explanation.txt and
demo/explanation.html (the first explanation; open the page in a browser), demo/quote.html and
demo/quote.pdf (a sheet for a client).

Next, try:
  . .venv/bin/activate
  diamond-pricing explain --carat 1.5 --cut "very good" --colour h --clarity si1 --json
  diamond-pricing explain --carat 1.01 --cut Ideal --color E --clarity VS1 --model demo/loglinear.json
  diamond-pricing fit --data your-sales.csv --effective 2026 --out your-model.json
  python -c "from diamond_pricing import *; print(packaged_model().explain(Stone(1.01, 'Ideal', 'E', 'VS1')))"
END
