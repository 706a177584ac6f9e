#!/bin/sh
# A handwritten batchnorm backward with a mistake, and the diagnosis of the service. Uses curl, awk and sed.
#
#     sh batchnorm.sh [http://127.0.0.1:8080]
#
# Prints the diagnosis. Exits with 1 if the service does not answer.
set -eu

base=${1:-http://127.0.0.1:8080}
x='4 -1 0 1'
dout='1 -2 3 0.5'

# One channel of four values. The mistake: gamma is missing.
dx=$(awk -v x="$x" -v dout="$dout" 'BEGIN {
  epsilon = 0.5
  m = split(x, X); split(dout, D)
  for (i = 1; i <= m; i++) mean += X[i] / m
  for (i = 1; i <= m; i++) var += (X[i] - mean) ^ 2 / m
  rstd = 1 / sqrt(var + epsilon)
  for (i = 1; i <= m; i++) { dbeta += D[i]; dgamma += D[i] * (X[i] - mean) * rstd }
  for (i = 1; i <= m; i++) {
    dx = rstd * (D[i] - dbeta / m - (X[i] - mean) * rstd * dgamma / m)
    list = list (i == 1 ? "" : ",") sprintf("[%.15g]", dx)
  }
  print list
}')

# The same numbers as a JSON column.
column() { echo "$1" | sed 's/[^ ][^ ]*/[&]/g; s/ /,/g'; }

answer=$(curl --silent --show-error --fail-with-body --max-time 10 --header 'Content-Type: application/json' --data '{
  "forward": {"x": ['"$(column "$x")"'], "gamma": [4], "beta": [1], "epsilon": 0.5},
  "backward": {"dout": ['"$(column "$dout")"']},
  "claims": {"dx": ['"$dx"']}
}' "$base/batchnorm/check") || {
  echo "POST $base/batchnorm/check: $answer" >&2
  exit 1
}
# The first diagnosis of the response.
diagnosis='.*"diagnosis":\[{"id":"\([^"]*\)","explanation":"\([^"]*\)","fix":"\([^"]*\)".*'
case $answer in
  '{"pass":true'*) echo 'dx is right' ;;
  *)
    echo "$answer" | sed "s/$diagnosis/dx is wrong: \1/"
    echo "$answer" | sed "s/$diagnosis/\2/"
    echo "$answer" | sed "s/$diagnosis/instead: \3/"
    ;;
esac
