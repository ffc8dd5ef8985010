# Draws growth curves as one SVG: scripts/bench.sh gives lines of "PANEL: SERIES|X|MILLISECONDS", in the order of X.
# A panel for each PANEL, X by its logarithm, milliseconds from zero. No colour is needed to read it: every line bears its name.

BEGIN {
  FS = "|"
  width = 420; height = 250
  left = 44; right = 156; top = 34; bottom = 36
  split("#2563eb #c2410c #15803d #7c3aed", colour, " ")
}

{
  split($1, key, ": ")
  panel = key[1]; series = key[2]
  if (!(panel in nth)) { nth[panel] = ++panels; name[panels] = panel }
  p = nth[panel]
  if (!((p, series) in line)) { line[p, series] = ++count[p]; label[p, count[p]] = series }
  s = line[p, series]
  n = ++points[p, s]
  x[p, s, n] = $2; y[p, s, n] = $3
  if (!(p in least) || $2 < least[p]) least[p] = $2
  if ($2 > most[p]) most[p] = $2
  if ($3 > high[p]) high[p] = $3
}

function across(p, value) {
  return left + (width - left - right) * (log(value) - log(least[p])) / (log(most[p]) - log(least[p]))
}

function up(p, value) {
  return height - bottom - (height - top - bottom) * value / ceiling[p]
}

# A round number of milliseconds not below `value`.
function round_up(value,   unit) {
  unit = 1
  while (unit * 10 < value) unit *= 10
  if (value <= unit * 2) return unit * 2
  if (value <= unit * 5) return unit * 5
  return unit * 10
}

# What a message of history or a lease is counted from: one more, since zero has no logarithm.
function shown(value) {
  return value % 10 == 1 && value != 1 ? value - 1 : (value == 1 ? 0 : value)
}

function text(at_x, at_y, anchor, what, style) {
  printf "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\"%s>%s</text>\n", at_x, at_y, anchor, style, what
}

END {
  rows = int((panels + 1) / 2)
  printf "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" role=\"img\" aria-label=\"Milliseconds of a command as a project grows\">\n", 2 * width, rows * height, 2 * width
  print "<style>text { font: 12px system-ui, sans-serif; fill: #374151 } .t { font-weight: 600 } .a { fill: #6b7280; font-size: 11px }</style>"
  printf "<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n", 2 * width, rows * height
  for (p = 1; p <= panels; p++) {
    ceiling[p] = round_up(high[p])
    printf "<g transform=\"translate(%d %d)\">\n", ((p - 1) % 2) * width, int((p - 1) / 2) * height
    text(left, 20, "start", "ms, as there are more " name[p], " class=\"t\"")
    for (step = 0; step <= 4; step++) {
      value = ceiling[p] * step / 4
      printf "<path d=\"M%d %.1fH%d\" stroke=\"%s\"/>\n", left, up(p, value), width - right, step ? "#e5e7eb" : "#9ca3af"
      text(left - 6, up(p, value) + 4, "end", value, " class=\"a\"")
    }
    for (n = 1; n <= points[p, 1]; n++) {
      text(across(p, x[p, 1, n]), height - bottom + 18, "middle", shown(x[p, 1, n]), " class=\"a\"")
    }
    below = 0
    for (s = 1; s <= count[p]; s++) {
      path = ""
      for (n = 1; n <= points[p, s]; n++) {
        path = path sprintf("%s%.1f %.1f", n == 1 ? "M" : "L", across(p, x[p, s, n]), up(p, y[p, s, n]))
        printf "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2.5\" fill=\"%s\"/>\n", across(p, x[p, s, n]), up(p, y[p, s, n]), colour[s]
      }
      printf "<path d=\"%s\" fill=\"none\" stroke=\"%s\" stroke-width=\"1.5\"/>\n", path, colour[s]
      n = points[p, s]
      at[s] = up(p, y[p, s, n]) + 4
      # Names that would lie on each other are moved apart.
      for (other = 1; other < s; other++) if (at[s] - at[other] < 14 && at[other] - at[s] < 14) at[s] = at[other] - 14
      text(width - right + 8, at[s], "start", sprintf("%s %.1f", label[p, s], y[p, s, n]), "")
    }
    print "</g>"
  }
  print "</svg>"
}
