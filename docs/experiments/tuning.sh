#!/usr/bin/env bash
# Experiments on the Llama-2 miniature, made of the study's own stages. What has run before is not run again.
#   GA on facts-40 by number of updates: does it collapse?
#     docs/experiments/tuning.sh updates > docs/experiments/ga-updates.csv
#   learning rates on facts 200-239, outside every forget set
#     docs/experiments/tuning.sh rates > docs/experiments/rates.csv
#   the same on contract questions 380-399
#     SET=contracts-tuning docs/experiments/tuning.sh rates > docs/experiments/rates-contracts.csv
#   any options of a method
#     SET=contracts-tuning docs/experiments/tuning.sh options memit lambda=300 lambda=30 lambda=30+value.steps=90
#   80 facts in merged queries, by where the edit looks its key up
#     docs/experiments/tuning.sh merging > docs/experiments/merging.csv
#   the same on a sister pretrained on rows of several questions too
#     SETTINGS='pretrain.shares=[4,4,4,1,1] pretrain.steps=810' docs/experiments/tuning.sh merging \
#       > docs/experiments/merging-several.csv
#   the curve of the first
#     docs/experiments/tuning.sh plot < docs/experiments/ga-updates.csv > docs/experiments/ga-updates.svg
# EU is the command to use instead of `dotnet eu-stage`; RATES, UPDATES, MERGES, LOOKUPS and METHODS shorten the lists,
# SET names the forget set of rates and options, SETTINGS changes values of the study.
set -euo pipefail
export LC_ALL=C
EU=${EU:-dotnet eu-stage}
tuning=${SET:-facts-tuning}
study=(--set 'models=[llama2]' --set 'finetuned=[llama2]')
for setting in ${SETTINGS:-}; do study+=(--set "$setting"); done

# metric CELL NAME: a number of a cell's manifest.
metric() {
  $EU show "$1" "${study[@]}" "${set[@]}" --json | tr -d ' \n' |
    sed -n "s/.*\"rouge1\.$2\":\([0-9.eE+-]*\).*/\1/p"
}

row() { # SET METHOD SETTING
  local cell="score[llama2,$1,$2]" forget retain
  forget=$(metric "$cell" forget) retain=$(metric "$cell" retain)
  awk -v m="$2" -v s="$3" -v f="$forget" -v r="$retain" \
    'BEGIN { printf "%s,%s,%.3f,%.3f,%.3f\n", m, s, f, r, 1 - f + r }'
}

# try METHOD OPTION=VALUE[+OPTION=VALUE..]: these stand over what pipeline.yaml has for the set.
try() {
  local method=$1 option
  set=(--set "sets.llama2=[$tuning]" --set "methods=[$method]" --set "forget-sets.$tuning.held-out=false")
  for option in ${2//+/ }; do set+=(--set "forget-sets.$tuning.options.$method.$option"); done
  run "score[llama2,$tuning,$method]"
  row "$tuning" "$method" "${2#learningRate=}"
}

run() { $EU repro "$@" "${study[@]}" "${set[@]}" >&2; }

case ${1:-} in
  updates)
    echo method,updates,forget,retain,score
    for n in ${UPDATES:-5 20 40 60 80 120 200}; do
      set=(--set 'sets.llama2=[facts-40]' --set 'methods=[ga]' --set forget-sets.facts-40.held-out=false)
      set+=(--set "options.ga.steps=$n")
      run 'score[llama2,facts-40,ga]'
      row facts-40 ga "$n"
    done ;;
  rates)
    echo method,rate,forget,retain,score
    for rate in ${RATES:-5e-6 7e-6 1e-5 2e-5 3e-5 5e-5 1e-4 2e-4 3e-4 6e-4 1e-3}; do
      for method in ${METHODS:-ga gd kl dpo idk}; do try "$method" "learningRate=$rate"; done
    done ;;
  options)
    echo method,options,forget,retain,score
    for options in "${@:3}"; do try "$2" "$options"; done ;;
  merging)
    echo method,lookup,merged,forget,retain,score
    for lookup in ${LOOKUPS:-lastToken lastSubject eachSubject}; do
      for k in ${MERGES:-1 2 4 8}; do
        for method in ${METHODS:-rome memit}; do
          merged=facts-80
          [ "$k" = 1 ] || merged=facts-80-by-$k
          set=(--set "sets.llama2=[$merged]" --set "methods=[$method]" --set "merging=[$method]")
          set+=(--set "forget-sets.$merged.lookup=$lookup")
          run "score[llama2,$merged,$method]"
          row "$merged" "$method" "$lookup,$k"
        done
      done
    done ;;
  plot)
    awk -F, 'function x(n) { return 60 + 520 * log(n / 4) / log(100) } function y(v) { return 270 - 240 * v }
      NR > 1 {
        f = f x($2) "," y($3) " "
        r = r x($2) "," y($4) " "
        t = t sprintf("<text x=\"%.0f\" y=\"290\">%s</text>", x($2), $2)
      }
      END {
        printf "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 600 330\" "
        print "font-family=\"sans-serif\" font-size=\"12\" text-anchor=\"middle\">"
        printf "<rect width=\"600\" height=\"330\" fill=\"white\"/>"
        print "<path d=\"M60 30V270H580\" fill=\"none\" stroke=\"black\"/>" t
        printf "<text x=\"40\" y=\"34\">1</text><text x=\"40\" y=\"154\">0.5</text><text x=\"40\" y=\"274\">0</text>"
        print "<text x=\"320\" y=\"316\">updates of GA, 40 facts</text>"
        printf "<polyline fill=\"none\" stroke=\"crimson\" stroke-width=\"2\" points=\"%s\"/>", f
        print "<text x=\"200\" y=\"18\" fill=\"crimson\">Rouge1 forget</text>"
        printf "<polyline fill=\"none\" stroke=\"steelblue\" stroke-width=\"2\" points=\"%s\"/>", r
        print "<text x=\"340\" y=\"18\" fill=\"steelblue\">Rouge1 retain</text></svg>"
      }' ;;
  *) sed -n '2,18s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
