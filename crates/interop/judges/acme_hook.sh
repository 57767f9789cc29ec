#!/bin/sh
# Shows an ACME client's proof and takes it away again, as three clients call their hooks: lego's `exec`, dehydrated, uacme. TXT records are
# lines of the file $ZONE/NAME, files of the web server are in $WEB.

show() { printf '%s\n' "$2" >> "$ZONE/_acme-challenge.$1"; }
hide() { rm -f "$ZONE/_acme-challenge.$1"; }

case $1 in
    # lego: present|cleanup _acme-challenge.NAME. VALUE
    present) name=${2#_acme-challenge.} && show "${name%.}" "$3" ;;
    cleanup) name=${2#_acme-challenge.} && hide "${name%.}" ;;
    # dehydrated: deploy_challenge|clean_challenge NAME TOKEN VALUE; a wildcard comes by its base name
    deploy_challenge) show "$2" "$4" ;;
    clean_challenge) hide "$2" ;;
    # uacme: begin|done|failed CHALLENGE NAME TOKEN PROOF; whoever fails is asked about the next challenge
    begin) [ "$2" = http-01 ] && printf %s "$5" > "$WEB/$4" ;;
    done | failed) rm -f "$WEB/$4" ;;
esac
