#!/bin/sh
# dehydrated's hook: nginx takes up a new certificate without dropping a connection.
[ "$1" = deploy_cert ] || exit 0
nginx -s reload
