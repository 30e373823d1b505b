#!/bin/sh
# Runs a mail program as "pop3proto conformance client" wants it: programs.sh NAME [delete].
# Settings and state are in $HOME, which is empty at first; mail goes below $POP3_OUTPUT.
set -eu
name=$1 delete=${2:-}
port=$POP3_PORT mail=$POP3_OUTPUT
umask 077
case $name in
curl)
    scheme=pop3 tls="--ssl-reqd --cacert $POP3_CA"
    [ "$POP3_SECURITY" = tls ] && scheme=pop3s
    [ "$POP3_SECURITY" = plaintext ] && tls=
    where=$scheme://$POP3_HOST:$port
    # All URLs of a run share a connection. What is asked for is in a file, and so is the password.
    printf 'silent\nshow-error\nmax-time = 20\nuser = "%s:%s"\n' \
        "$POP3_USER" "$POP3_PASSWORD" >"$HOME/login"
    curl $tls -K "$HOME/login" "$where/" -o "$HOME/list"
    numbers=$(tr -d '\r' <"$HOME/list" | cut -d' ' -f1)
    for number in $numbers; do
        printf 'url = "%s/%s"\noutput = "%s/%s.part"\n' "$where" "$number" "$mail" "$number"
    done >"$HOME/urls"
    code=0
    [ -z "$numbers" ] || curl $tls -K "$HOME/login" -K "$HOME/urls" || code=$?
    [ "$code" = 0 ] || exit "$code"
    for number in $numbers; do
        mv "$mail/$number.part" "$mail/$$-$number.eml"
    done
    # Each deletion is a session, after which the later messages have other numbers.
    [ -z "$delete" ] || for number in $(echo "$numbers" | sort -rn); do
        curl $tls -K "$HOME/login" --request DELE --head "$where/$number" >/dev/null
    done
    ;;
fetchmail)
    tls="sslproto TLS1.2+ sslcertck sslcertfile \"$POP3_CA\""
    [ "$POP3_SECURITY" = tls ] && tls="$tls ssl"
    [ "$POP3_SECURITY" = plaintext ] && tls="sslproto ''"
    printf '#!/bin/sh\nexec cat >"$(mktemp "%s/XXXXXXXX")"\n' "$mail" >"$HOME/deliver"
    chmod 700 "$HOME/deliver"
    keep=keep
    [ -z "$delete" ] || keep=nokeep
    cat >"$HOME/rc" <<END
set no bouncemail
set invisible
poll $POP3_HOST service $port proto pop3 timeout 10 uidl user "$POP3_USER" pass "$POP3_PASSWORD" $keep no rewrite no mimedecode $tls mda "$HOME/deliver"
END
    code=0
    fetchmail --fetchmailrc "$HOME/rc" --pidfile "$HOME/pid" --idfile "$HOME/ids" || code=$?
    # 1 says that there was no mail.
    [ "$code" = 1 ] || exit "$code"
    ;;
mpop)
    mkdir -p "$mail/box/tmp" "$mail/box/new" "$mail/box/cur"
    keep=on
    [ -z "$delete" ] || keep=off
    {
        printf '%s\n' "account default" "host $POP3_HOST" "port $port" "user $POP3_USER" \
            "password $POP3_PASSWORD" "delivery maildir $mail/box" "received_header off" \
            "keep $keep" "uidls_file $HOME/uidls" "timeout 10"
        case $POP3_SECURITY in
        tls) printf '%s\n' "tls on" "tls_starttls off" "tls_trust_file $POP3_CA" ;;
        stls) printf '%s\n' "tls on" "tls_starttls on" "tls_trust_file $POP3_CA" ;;
        *) printf '%s\n' "tls off" "auth user" ;;
        esac
    } >"$HOME/rc"
    exec mpop -q -C "$HOME/rc"
    ;;
getmail)
    # It does not deliver as root.
    mkdir -p "$mail/box/tmp" "$mail/box/new" "$mail/box/cur"
    kind=SimplePOP3Retriever trust= user=
    [ "$POP3_SECURITY" = tls ] && kind=SimplePOP3SSLRetriever trust="ca_certs = $POP3_CA"
    if [ "$(id -u)" = 0 ]; then
        chown -R mail "$mail"
        chmod 711 "$HOME/.." "$HOME"
        user="user = mail"
    fi
    cat >"$HOME/rc" <<END
[retriever]
type = $kind
server = $POP3_HOST
port = $port
username = $POP3_USER
password = $POP3_PASSWORD
timeout = 10
$trust
[destination]
type = Maildir
path = $mail/box/
$user
[options]
delete = $([ -z "$delete" ] && echo false || echo true)
read_all = false
delivered_to = false
received = false
END
    exec getmail --getmaildir "$HOME" --rcfile "$HOME/rc"
    ;;
pop3proto)
    [ "$POP3_SECURITY" = plaintext ] && clear=--allow-plaintext-auth || clear=
    export POP3PROTO_PASSWORD="$POP3_PASSWORD"
    exec "${PYTHON:-python3}" -m pop3proto fetch --timeout 10 --ca "$POP3_CA" $clear ${delete:+--delete} \
        "$POP3_URL" "$mail/box"
    ;;
poplib)
    exec "${PYTHON:-python3}" "$(dirname "$0")/poplib_program.py" $delete
    ;;
*)
    echo "no such program: $name" >&2
    exit 2
    ;;
esac
