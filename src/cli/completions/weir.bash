# bash completion for weir
_weir() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} own=
    COMPREPLY=()
    # bash splits --flag=value into three words.
    if [[ $cur == = ]]; then
        cur=
    elif [[ $prev == = && COMP_CWORD -ge 2 ]]; then
        prev=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    case $prev in
    -i | --input | --journal | -c | --config | --ca-file | --cacert | --cookie-file | --report | --failed | \
        -o | --output | -f | --file | --bad-records)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        return
        ;;
    -d | --dir)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -d -- "$cur")
        return
        ;;
    --access-log | --tls-cert | --tls-key)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        return
        ;;
    --log-format)
        mapfile -t COMPREPLY < <(compgen -W 'combined json' -- "$cur")
        return
        ;;
    --listen | --token | --max-connections | --per-client | --client-bandwidth | --idle-timeout | --max-upload-size)
        return
        ;;
    --on-exist)
        local ways='skip overwrite rename update'
        [[ ${COMP_WORDS[1]} == put ]] && ways='overwrite skip'
        mapfile -t COMPREPLY < <(compgen -W "$ways" -- "$cur")
        return
        ;;
    --method)
        mapfile -t COMPREPLY < <(compgen -W 'PUT POST' -- "$cur")
        return
        ;;
    --expect)
        mapfile -t COMPREPLY < <(compgen -W 'auto yes no' -- "$cur")
        return
        ;;
    --send-digest)
        mapfile -t COMPREPLY < <(compgen -W 'sha256 sha512 sha1 md5 crc32c' -- "$cur")
        return
        ;;
    --progress)
        mapfile -t COMPREPLY < <(compgen -W 'auto bar plain json none' -- "$cur")
        return
        ;;
    --format)
        mapfile -t COMPREPLY < <(compgen -W 'urls tsv csv jsonl sums aria2 metalink pattern pairs' -- "$cur")
        return
        ;;
    --decode)
        mapfile -t COMPREPLY < <(compgen -W 'auto none gzip zstd xz bzip2 brotli' -- "$cur")
        return
        ;;
    --name)
        mapfile -t COMPREPLY < <(compgen -W '{basename} {host} {path} {index} {id} {hash}' -- "$cur")
        return
        ;;
    -s | --set)
        compopt -o nospace 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -S = -W "$(weir config --no-config 2>/dev/null | cut -d ' ' -f 1)" -- "$cur")
        return
        ;;
    -j | --concurrency | -H | --header | --workers | --max-failures | --per-host | --rate | --host-rate | \
        --bandwidth | --limit-rate | --host-bandwidth | --retries | --user-agent | --user | --connect-timeout | \
        --stall-timeout | --timeout | --max-time | --max-redirects | --max-redirs | --proxy | --cut-dirs | \
        --min-free | --segments | --base-url | -e | --match | --regexp | -F | --literal | --fixed-strings | \
        --checksum | -m | --max-count | -A | --after-context | -B | --before-context | -C | --context | --jq | \
        --max-line | --max-decoded-size | --aws-sigv4)
        return
        ;;
    esac
    case ${COMP_WORDS[1]}$prev in
    prefetch--mode)
        mapfile -t COMPREPLY < <(compgen -W 'shared strided queue' -- "$cur")
        return
        ;;
    prefetch--on-bad)
        mapfile -t COMPREPLY < <(compgen -W 'fail skip quarantine' -- "$cur")
        return
        ;;
    prefetch--validate)
        mapfile -t COMPREPLY < <(compgen -W 'auto none parquet gzip zstd tar jsonl' -- "$cur")
        return
        ;;
    prefetch--socket)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        return
        ;;
    prefetch--ahead | prefetch--keep-behind | prefetch--budget | prefetch--warn-free | prefetch--pin | \
        prefetch--epochs | prefetch--start | prefetch--limit | prefetch--prefill | prefetch--consumer* | \
        prefetch--validate-command)
        return
        ;;
    esac
    case ${COMP_WORDS[1]} in
    filter)
        own='--match --regexp --literal --fixed-strings --file --ignore-case --invert --invert-match
            --max-count --count --line-number --only-matching --after-context --before-context
            --context --with-url --in-order --max-line'
        ;;
    jsonl)
        own='--jq --raw --raw-output --with-url --bad-records --in-order --max-line'
        ;;
    verify)
        own='--repair'
        ;;
    prefetch)
        own='--ahead --keep-behind --budget --warn-free --pin --epochs --start --limit --prefill --mode
            --consumers --consumer --consumer-timeout --socket --validate --validate-command --on-bad'
        ;;
    put)
        own='--method --expect --send-digest'
        if [[ $cur != -* ]]; then
            compopt -o filenames 2>/dev/null
            mapfile -t COMPREPLY < <(compgen -f -- "$cur")
            return
        fi
        ;;
    serve)
        if [[ $cur == -* ]]; then
            mapfile -t COMPREPLY < <(compgen -W '--listen --upload --token --access-log --log-format --no-listing
                --hidden --max-connections --per-client --client-bandwidth --idle-timeout --max-upload-size
                --tls-cert --tls-key --config --no-config --set --quiet --verbose --help --version' -- "$cur")
        else
            compopt -o filenames 2>/dev/null
            mapfile -t COMPREPLY < <(compgen -d -- "$cur")
        fi
        return
        ;;
    journal)
        if [[ $cur == -* ]]; then
            mapfile -t COMPREPLY < <(compgen -W '--failed --json --quiet --help --version' -- "$cur")
        else
            compopt -o filenames 2>/dev/null
            mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        fi
        return
        ;;
    esac
    if [[ $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W '--input --output --dry-run --config --no-config --set --quiet
            --verbose --ini --help --version --workers --concurrency --max-failures --per-host --rate
            --host-rate --bandwidth --limit-rate --host-bandwidth --retries --user-agent --header --user
            --aws-sigv4 --connect-timeout --stall-timeout --timeout --max-redirects --proxy --ca-file --insecure
            --cookie-file --allow-private --allow-downgrade --dir --name --tree --cut-dirs --on-exist --delete
            --min-free --segments --base-url --format --report --failed --journal --checksum --progress --decode --max-decoded-size
            '"$own" -- "$cur")
    elif ((COMP_CWORD == 1)); then
        mapfile -t COMPREPLY < <(compgen -W 'get filter jsonl verify prefetch put serve journal config help' -- "$cur")
    fi
}
complete -F _weir weir
