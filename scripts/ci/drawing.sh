#!/usr/bin/env bash
# Every way to draw, in an environment that has no torch: scripts/ci/drawing.sh ENVIRONMENT
#
# Photos are the astronaut that comes with the package; what is drawn goes into a temporary folder. One command after the
# other, each of which must leave its result.
set -euo pipefail

environment=$(cd "$1" && pwd)
facette=$environment/bin/facette
for library in torch scipy sklearn matplotlib; do
  if "$environment/bin/python" -c "import $library" 2>/dev/null; then
    echo "$environment has $library: this is to show that drawing needs none" >&2
    exit 1
  fi
done

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
photo=$("$environment/bin/python" -c "from facette.images.example import example_photo; print(example_photo())")
cd "$folder"

draws() { # RESULT COMMAND…
  local result=$1 began=$EPOCHREALTIME
  shift
  "$facette" --quiet "$@" >/dev/null
  [ -s "$result" ] || { echo "facette $* left no $result" >&2; exit 1; }
  printf '%5.2f s  facette %s\n' "$(awk "BEGIN { print $EPOCHREALTIME - $began }")" "$1"
}

draws facette-demo.png demo
draws each/10.png vary "$photo" --each each
draws likeness.png vary "$photo" --likeness 0.5 --count 4 --out likeness.png
draws sweep.png sweep "$photo" --rows 3 --count 4 --out sweep.png
draws reconstructions.png reconstruct "$photo"
draws edited/01.png edit "$photo" Smiling=+2 Male=-1 --keep Young --each edited
draws strip.png edit "$photo" Young=-2..2 --out strip.png
draws film.gif edit "$photo" Smiling=-2..2 --steps 8 --out film.gif
draws path.png interpolate "$photo" each/01.png --path slerp --equal-steps --out path.png
draws field.png interpolate "$photo" each/0[123].png --grid --steps 3 --out field.png
draws blend.png blend "$photo" each/01.png
draws traversal.png traverse faces128 --photo "$photo"
draws over.png traverse faces128 each --no-align --cache cache --out over.png
draws samples.png sample
"$facette" info >/dev/null
