#!/bin/sh
# Batchnorm, forward and backward, with curl and sed.
#
#     sh batchnorm.sh [http://127.0.0.1:8080]
#
# Prints the results, and exits with 1 if one differs from the value computed by hand.
set -eu

base=${1:-http://127.0.0.1:8080}

# post PATH BODY: stores the response in $answer, without spaces. If the service refuses, the body says why.
post() {
  answer=$(curl --silent --show-error --fail-with-body --max-time 10 \
    --header 'Content-Type: application/json' --data "$2" "$base$1") || {
    echo "POST $base$1: $answer" >&2
    exit 1
  }
  answer=$(echo "$answer" | tr -d '[:space:]')
}

# check NAME EXPECTED: compares a tensor of the response as text. The service writes the shortest decimals.
check() {
  tensor=$(echo "$answer" | sed -n "s/.*\"$1\":\(\[[^\"]*\]\)[,}].*/\1/p")
  printf '%-7s %s\n' "$1" "$tensor"
  if [ "$tensor" != "$2" ]; then
    echo "$1 is wrong; expected $2" >&2
    exit 1
  fi
}

# 4 rows, 2 channels. The means are 1 and 2, the variances 3.5 and 15.5. With epsilon 0.5 the standard deviations are 2
# and 4, and every value below is exact.
post /batchnorm/forward '{
  "x": [[4, 1], [-1, 8], [0, -3], [1, 2]],
  "gamma": [4, 2],
  "beta": [1, -0.5],
  "epsilon": 0.5
}'
check out '[[7,-1],[-3,2.5],[-1,-3],[1,-0.5]]'
check mean '[1,2]'
check var '[3.5,15.5]'

session=$(echo "$answer" | sed 's/.*"session":"\([^"]*\)".*/\1/')
post /batchnorm/backward '{
  "session": "'"$session"'",
  "dout": [[1, 2], [-2, -1], [3, 0], [0.5, 3]],
  "release": true
}'
check dx '[[-0.75,0.4375],[-4.25,-0.625],[5.25,-0.8125],[-0.25,1]]'
check dgamma '[2,-2]'
check dbeta '[2.5,4]'
