#!/usr/bin/env bats
# busybox as it is: a hundred lines of it in a folder, by itself and under nubrun. Output, errors, exit codes and what is in the
# folder afterwards are the same.

load helper

setup() {
	needs_kvm
	busybox=$(command -v busybox)
}

# Both run in a folder of the same name: one after the other, with the other's put aside.
line() { # WORD...
	local native_code=0 guest_code=0
	"$busybox" "$@" <"$INPUT" >native.out 2>native.err || native_code=$?
	mv "$W" native && mv guest "$W"
	"$NUBRUN" run -q --dir "$W:$W:rw" "$busybox" "$@" <"$INPUT" >guest.out 2>guest.err || guest_code=$?
	mv "$W" guest && mv native "$W"
	if [ "$native_code" -ne "$guest_code" ] || ! cmp native.out guest.out || ! cmp native.err guest.err; then
		echo "busybox $*: $native_code by itself, $guest_code under nubrun"
		diff native.out guest.out | head -n 5
		diff native.err guest.err | head -n 5
		differ+=("$1")
	fi
}

@test "busybox: a hundred lines do what they do without nubrun" {
	local differ=() count=0 words
	W=$BATS_TEST_TMPDIR/work INPUT=$BATS_TEST_TMPDIR/input
	cd "$BATS_TEST_TMPDIR"
	printf 'root:x:0:0:root:/root:/bin/sh\nzeta:x:7:8::/nowhere:/bin/false\nalpha:x:3:9:A:/a:/bin/sh\nroot:x:0:0:again::\n' >"$INPUT"
	for folder in "$W" guest; do
		mkdir "$folder"
		cp "$INPUT" "$folder/words"
	done
	while read -ra words; do
		line "${words[@]//'$W'/$W}"
		count=$((count + 1))
	done <<'LINES'
mkdir -p $W/a/b/c
touch $W/a/x $W/a/y
cp $W/words $W/a/p
cp -r $W/a $W/copy
mv $W/a/x $W/a/z
ln -s p $W/a/link
ln $W/a/p $W/a/hard
readlink $W/a/link
readlink -f $W/a/link
realpath $W/a/../a/link
ls $W/a
ls -a $W
find $W -type f
find $W -name p -o -type l
cat $W/a/link
head -n 3 $W/a/p
tail -n 3 $W/a/p
wc $W/a/p
md5sum $W/a/p
sha256sum $W/a/p $W/copy/p
cmp $W/a/p $W/copy/p
diff $W/a/p $W/copy/p
sort $W/a/p
sort -r -o $W/sorted $W/a/p
uniq $W/sorted
cut -d: -f1 $W/a/p
grep root $W/a/p
grep -c : $W/a/p
sed s/root/toor/ $W/a/p
sed -i s/root/toor/ $W/copy/p
awk -F: {print$3} $W/a/p
tr a-z A-Z
cat
cat -
tee $W/teed
dd if=$W/a/p of=$W/dd bs=7 count=9 status=none
dd if=/dev/zero of=$W/zeros bs=1k count=100 status=none
truncate -s 50 $W/zeros
stat -c %s%F%a $W/zeros
stat -c %h $W/a/p
du -s $W/none
chmod 600 $W/a/p
stat -c %a $W/a/p
tar cf $W/none/t.tar -C $W/a p
tar tf $W/none
mkdir $W/untar
gzip -c
gunzip -c $W/none
od -c $W/dd
hexdump -C $W/dd
xxd $W/dd
strings $W/dd
split -l 5 $W/a/p $W/split.
paste $W/split.aa $W/split.ab
comm $W/sorted $W/sorted
expand $W/a/p
fold -w 10 $W/a/p
nl $W/a/p
rev $W/a/p
tac $W/a/p
basename $W/a/p
dirname $W/a/p
test -f $W/a/p
test -d $W/a/p
test -x $W/a/p
[ -L $W/a/link ]
rmdir $W/a
rmdir $W/a/b/c
rm $W/none
rm -r $W/copy
rm -f $W/none
mv $W/none $W/x
cp $W/none $W/x
ls $W/none
cat $W/a
mkdir $W/a
unlink $W/a/hard
install -m 755 $W/a/p $W/installed
stat -c %Y $W/dated
find $W -newer $W/dated -name dated
cksum $W/a/p
crc32 $W/a/p
base64 $W/dd
uuencode $W/dd name
fsync $W/dd
flock $W/none
cpio -t
ar t $W/none.a
patch -p0 $W/none
ed $W/none
seq 1 5
factor 360
expr 3 + 4
printf %s-%s a b
date -u -d @0
echo -n x
head -c 9 $W/a/p
id -u
unzip -l $W/none.zip
shuf -n 0 $W/a/p
ls -l $W/none
cp -f $W/a/p $W/again
mv $W/again $W/renamed
ln -sf renamed $W/soft
cat $W/soft
rm $W/renamed
cat $W/soft
find $W -type d
touch $W/a/n
LINES
	[ "$count" -ge 100 ]
	[ "${differ[*]}" = "" ]
	diff -r --no-dereference "$W" guest
}
