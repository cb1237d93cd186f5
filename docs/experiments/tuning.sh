#!/usr/bin/env bash
# Experiments on the Llama-2 miniature or another model, made of the study's own stages. What has run before is not run
# again.
#   docs/experiments/tuning.sh updates > docs/experiments/ga-updates.csv
#       GA on facts-40 by number of updates: does it collapse?
#   docs/experiments/tuning.sh rates > docs/experiments/rates.csv
#       learning rates on facts 200-239, outside every forget set
#   SET=contracts-tuning docs/experiments/tuning.sh rates > docs/experiments/rates-contracts.csv
#       the same on contract questions 380-399
#   SET=contracts-tuning docs/experiments/tuning.sh options memit lambda=300 lambda=30 lambda=30+value.steps=90
#       any options of a method
#   docs/experiments/tuning.sh merged-options memit lambda=30 lambda=30+value.learning-rate=0.5
#       the same for merged queries, on facts 200-239 merged by MERGES (5 and 10)
#   docs/experiments/tuning.sh merging > docs/experiments/merging.csv
#       80 facts in merged queries, by where the edit looks its key up
#   SETTINGS='pretrain.shares=[4,4,4,1,1] pretrain.steps=810' docs/experiments/tuning.sh merging > merging-several.csv
#       the same on a sister that was pretrained on rows of several questions too
#   MODEL=smollm2 PROFILE=small docs/experiments/tuning.sh strength > docs/experiments/strength-small.csv
#       every method in five cells
#   docs/experiments/tuning.sh plot < docs/experiments/ga-updates.csv > docs/experiments/ga-updates.svg
# EU is the command to use instead of `dotnet eu-stage`; RATES, UPDATES, MERGES, LOOKUPS and METHODS shorten the lists,
# SET names the forget set of rates and options, SETTINGS changes values of the study, JOBS the threads. `retain` is
# what no method has seen.
set -euo pipefail
export LC_ALL=C
EU=${EU:-dotnet eu-stage}
tuning=${SET:-facts-tuning}
data=${tuning%%-*}
model=${MODEL:-llama2}
study=(--profile "${PROFILE:-mini}" --set models.mistral.abstract=true --set models.llama31.abstract=true)
for setting in ${SETTINGS:-}; do study+=(--set "$setting"); done

# metric CELL NAME: a number of a cell's manifest.
metric() {
  $EU show "$1" "${study[@]}" "${set[@]}" --json | tr -d ' \n' | sed -n "s/.*\"rouge1\.$2\":\([0-9.eE+-]*\).*/\1/p"
}

row() { # SET METHOD SETTING
  local cell="score[$model,$1,$2]" forget retain
  forget=$(metric "$cell" forget) retain=$(metric "$cell" retain)
  awk -v m="$2" -v s="$3" -v f="$forget" -v r="$retain" \
    'BEGIN { printf "%s,%s,%.3f,%.3f,%.3f\n", m, s, f, r, 1 - f + r }'
}

# one SET METHOD: the study cut down to one set and one method.
one() {
  set=(--set "models.$model.sets=[$1]" --set "run-methods=[none, $2]" --set "forget-sets.$1.held-out=false")
}

# try METHOD OPTION=VALUE[+OPTION=VALUE..]: these stand over what the profile has for the data set.
try() {
  local method=$1 option
  one "$tuning" "$method"
  for option in ${2//+/ }; do set+=(--set "methods.$method.on.$data.$option"); done
  run "score[$model,$tuning,$method]"
  row "$tuning" "$method" "${2#learning-rate=}"
}

run() { $EU repro "$@" -j "${JOBS:-0}" "${study[@]}" "${set[@]}" >&2; }

# Five cells of each method: as profiles/small.yaml has it, half and twice of one option that says how hard it tries,
# and half (whole numbers rounded up) and twice of another; of RMU a tenth and a hundredth of the weight of what is
# kept, which holds everything where it was.
clamp=value.clamp-norm-factor seek=value.learning-rate
strengths="ga learning-rate=5e-6 learning-rate=2.5e-6 learning-rate=1e-5 epochs=1 epochs=4
gd learning-rate=2e-5 learning-rate=1e-5 learning-rate=4e-5 epochs=2 epochs=6
kl learning-rate=5e-6 learning-rate=2.5e-6 learning-rate=1e-5 epochs=1 epochs=4
dpo learning-rate=5e-6 learning-rate=2.5e-6 learning-rate=1e-5 epochs=1 epochs=4
idk learning-rate=2e-5 learning-rate=1e-5 learning-rate=4e-5 epochs=3 epochs=10
npo learning-rate=2e-5 learning-rate=1e-5 learning-rate=4e-5 epochs=2 epochs=6
simnpo learning-rate=2e-5 learning-rate=1e-5 learning-rate=4e-5 epochs=2 epochs=6
rmu coefficient=2.4 coefficient=1.2 coefficient=4.8 retain-weight=120 retain-weight=12
rome $clamp=4 $clamp=2 $clamp=8 $seek=0.25 $seek=1
memit $clamp=4 $clamp=2 $clamp=8 $seek=0.25 $seek=1
alphaedit $clamp=4 $clamp=2 $clamp=8 $seek=0.25 $seek=1
grace radius=0.374 radius=0.187 radius=0.748 steps=25 steps=100
wise learning-rate=1 learning-rate=0.5 learning-rate=2 steps=15 steps=60"

plot() {
  awk -F, 'function x(n) { return 60 + 520 * log(n / 4) / log(100) } function y(v) { return 270 - 240 * v }
    function curve(colour, points, at, label) {
      printf "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\" points=\"%s\"/>", colour, points
      printf "<text x=\"%d\" y=\"18\" fill=\"%s\">%s</text>\n", at, colour, label
    }
    NR > 1 {
      f = f x($2) "," y($3) " "; r = r x($2) "," y($4) " "
      t = t sprintf("<text x=\"%.0f\" y=\"290\">%s</text>", x($2), $2)
    }
    END {
      printf "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 600 330\" font-family=\"sans-serif\" "
      print "font-size=\"12\" text-anchor=\"middle\">"
      print "<rect width=\"600\" height=\"330\" fill=\"white\"/>"
      print "<path d=\"M60 30V270H580\" fill=\"none\" stroke=\"black\"/>" t
      print "<text x=\"40\" y=\"34\">1</text><text x=\"40\" y=\"154\">0.5</text><text x=\"40\" y=\"274\">0</text>"
      print "<text x=\"320\" y=\"316\">updates of GA, 40 facts</text>"
      curve("crimson", f, 200, "Rouge1 forget"); curve("steelblue", r, 340, "Rouge1 retain"); print "</svg>"
    }'
}

case ${1:-} in
  updates)
    echo method,updates,forget,retain,score
    for n in ${UPDATES:-5 20 40 60 80 120 200}; do
      one facts-40 ga
      set+=(--set "methods.ga.options.steps=$n")
      run "score[$model,facts-40,ga]"
      row facts-40 ga "$n"
    done ;;
  rates)
    echo method,rate,forget,retain,score
    for rate in ${RATES:-5e-6 7e-6 1e-5 2e-5 3e-5 5e-5 1e-4 2e-4 3e-4 6e-4 1e-3}; do
      for method in ${METHODS:-ga gd kl dpo idk}; do try "$method" "learning-rate=$rate"; done
    done ;;
  strength)
    echo method,option,forget,retain,score
    while read -r method cells; do
      case " ${METHODS:-$method} " in *" $method "*) ;; *) continue ;; esac
      for options in $cells; do try "$method" "$options" < /dev/null; done
    done <<< "$strengths" ;;
  options)
    echo method,options,forget,retain,score
    for options in "${@:3}"; do try "$2" "$options"; done ;;
  merged-options)
    echo method,options,merged,forget,retain,score
    for options in "${@:3}"; do
      for k in ${MERGES:-5 10}; do
        one "facts-tuning-by-$k" "$2"
        set+=(--set "forget-sets.facts-tuning-by-$k.methods=[$2]")
        for option in ${options//+/ }; do set+=(--set "methods.$2.on.facts-merged.$option"); done
        run "score[$model,facts-tuning-by-$k,$2]"
        row "facts-tuning-by-$k" "$2" "$options,$k"
      done
    done ;;
  merging)
    echo method,lookup,merged,forget,retain,score
    for lookup in ${LOOKUPS:-lastToken lastSubject eachSubject}; do
      for k in ${MERGES:-1 2 4 8}; do
        for method in ${METHODS:-rome memit}; do
          merged=facts-80
          [ "$k" = 1 ] || merged=facts-80-by-$k
          one "$merged" "$method"
          set+=(--set "forget-sets.$merged.methods=[$method]" --set "forget-sets.$merged.lookup=$lookup")
          run "score[$model,$merged,$method]"
          row "$merged" "$method" "$lookup,$k"
        done
      done
    done ;;
  plot) plot ;;
  *) sed -n '2,25s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
