"""An explanation as one self-contained HTML page; it asks no other host for anything."""

from html import escape

from diamond_pricing.exhibits.waterfall import spoken, waterfall_svg
from diamond_pricing.model import PriceExplanation
from diamond_pricing.model.explanation import reasons_html
from diamond_pricing.model.money import written
from diamond_pricing.model.words import ENGLISH

STYLE = """
:root{--ink:#16202b;--soft:#566371;--line:#dfe4e9;--paper:#fbfbfa}
*{box-sizing:border-box}
body{margin:0 auto;max-width:46rem;padding:2rem 1.2rem 3rem;background:var(--paper);
color:var(--ink);font:16px/1.5 "Inter","Segoe UI",system-ui,"Helvetica Neue",Arial,sans-serif;
font-variant-numeric:tabular-nums}
h1{font-size:1.05rem;font-weight:500;color:var(--soft);margin:0}
.price{font-size:clamp(2.4rem,8vw,3.4rem);font-weight:600;letter-spacing:-.03em;line-height:1.1;
margin:0}
.of{color:var(--soft);margin:.2rem 0 1.2rem}
svg{display:block;width:100%;height:auto;margin:0 0 1.2rem}
svg text{font-family:inherit!important}
table{width:100%;border-collapse:collapse}
caption{text-align:left;font-weight:600;padding-bottom:.3rem}
th,td{padding:.5rem 0 .5rem 1rem;border-bottom:1px solid var(--line);text-align:right;
vertical-align:top;font-weight:400;white-space:nowrap}
th:first-child{text-align:left;padding-left:0;white-space:normal}
thead th{font-size:.8rem;color:var(--soft)}
small{display:block;color:var(--soft);font-size:.85rem}
tfoot th,tfoot td{font-weight:650;border-bottom:0;border-top:2px solid var(--ink)}
.not{margin-top:1.6rem;color:var(--soft);font-size:.85rem}
@media(max-width:34rem){.total{display:none}th,td{padding-left:.6rem}}
@media print{body{background:#fff;padding:0}}
"""


def explanation_page(why: PriceExplanation) -> str:
    """Write the page for an explanation."""
    price = escape(written(why.cents, why.currency))
    picture = waterfall_svg(why, ENGLISH, spoken(why), (ENGLISH.reference, ENGLISH.price))
    title = f"{escape(str(why.stone))}: {price}"
    unrecorded = escape(ENGLISH.unrecorded([line.name for line in why.lines]))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<title>{title}</title>
<style>{STYLE}</style>
</head>
<body>
<h1>{escape(str(why.stone))}</h1>
<p class="price">{price}</p>
<p class="of">{escape(why.money)}, measured from a {escape(str(why.reference))}</p>
{picture}
<table>
<caption>Why {price}</caption>
{reasons_html(why)}
</table>
<p class="not">Prices are of {escape(why.money)}. {unrecorded} Amounts divide the difference
in price by the logarithmic mean: factors are exact, the dollars a convention.
Model {escape(why.model)}.</p>
</body>
</html>
"""
