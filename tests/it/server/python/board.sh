#!/bin/busybox sh
# A board: a login and a shell, until its power goes. What runs is in the file that $1 names.
echo $$ > "$1"
busybox stty sane
while :; do
    printf 'panda01 login: '
    read -r user && [ "$user" = root ] && exec env PS1='# ' HISTFILE= busybox sh -i
done
