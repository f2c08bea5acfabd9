/** What a shell runs to complete the program's words; each asks `__complete`, and none evaluates what was typed. */
export const scripts = {
  bash: `# bash completion for hawser: source this file, or put it into /etc/bash_completion.d
_hawser() {
  local line=$COMP_LINE words=() word out directive prefix i
  # bash has cut words at : and =, too; here they are whole again
  for ((i = 0; i <= COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if ((i > 0)) && [[ $line != [[:space:]]* ]]; then
      words[\${#words[@]} - 1]+=$word
    else
      words+=("$word")
    fi
    line=\${line#"\${line%%[![:space:]]*}"}
    line=\${line#"$word"}
  done
  out=$("\${words[0]}" __complete "\${words[@]:1}" 2>/dev/null) || return
  directive=\${out##*:}
  COMPREPLY=()
  prefix=\${words[\${#words[@]} - 1]%"\${COMP_WORDS[COMP_CWORD]}"}
  [[ \${COMP_WORDS[COMP_CWORD]} == [:=] ]] && prefix=\${words[\${#words[@]} - 1]}
  [[ $prefix == -*= ]] && prefix=
  while IFS=$'\\t' read -r word _; do
    [[ $word == :* ]] || COMPREPLY+=("\${word#"$prefix"}")
  done <<<"$out"
  ((\${#COMPREPLY[@]})) || case $directive in
  0) compopt -o default 2>/dev/null ;;
  16) compopt -o dirnames 2>/dev/null ;;
  esac
}
complete -F _hawser hawser
`,
  zsh: `#compdef hawser
# zsh completion for hawser: put it, as _hawser, into a folder of $fpath, or source it after compinit
_hawser() {
  local -a lines found
  local line out
  out=$("\${(Q)words[1]}" __complete "\${(@Q)words[2,CURRENT]}" 2>/dev/null) || return 1
  lines=("\${(@f)out}")
  local directive=\${lines[-1]#:}
  for line in "\${(@)lines[1,-2]}"; do
    local word=\${line%%$'\\t'*} about=
    [[ $line == *$'\\t'* ]] && about=:\${line#*$'\\t'}
    found+=("\${word//:/\\\\:}$about")
  done
  compset -P '-*='
  if (( $#found )); then
    _describe -t hawser 'hawser' found
  elif [[ $directive == 0 ]]; then
    _files
  elif [[ $directive == 16 ]]; then
    _files -/
  fi
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
  _hawser "$@"
else
  compdef _hawser hawser
fi
`,
  fish: `# fish completion for hawser: put it into ~/.config/fish/completions/hawser.fish, or source it
function __hawser_complete
  set -l words (commandline -opc)
  set -l current (commandline -ct)
  set -l lines ($words[1] __complete $words[2..-1] "$current" 2>/dev/null)
  set -l directive $lines[-1]
  set -e lines[-1]
  set -l prefix (string match -r -- '^-.*?=' "$current")
  if test (count $lines) -gt 0
    for line in $lines
      echo -- "$prefix$line"
    end
  else if test "$directive" = :0
    __fish_complete_path "$current"
  else if test "$directive" = :16
    __fish_complete_directories "$current"
  end
end
complete -c hawser -f -a '(__hawser_complete)'
`,
} as const;
