/* nbd-client SERVER PORT DEVICE: the least there is to have a drive from an NBD server on Linux. */

#include <arpa/inet.h>
#include <endian.h>
#include <fcntl.h>
#include <linux/nbd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static void must(int good, const char *what)
{
    if (!good) {
        perror(what);
        exit(1);
    }
}

static void get(int from, void *to, size_t length)
{
    for (size_t have = 0; have < length;) {
        ssize_t got = read(from, (char *)to + have, length - have);
        must(got > 0, "the server says no more");
        have += got;
    }
}

int main(int count, char **words)
{
    if (count != 4)
        return 2;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(atoi(words[2]))};
    inet_aton(words[1], &at.sin_addr);
    int line = socket(AF_INET, SOCK_STREAM, 0);
    must(!connect(line, (void *)&at, sizeof at), words[1]);

    /* Greeting; no zeroes, please; the export without a name. */
    struct { uint64_t magic, option; uint16_t flags; } __attribute__((packed)) greeting;
    get(line, &greeting, sizeof greeting);
    struct { uint32_t flags; uint64_t magic; uint32_t option, length; } __attribute__((packed)) wish = {
        htobe32(3), htobe64(0x49484156454F5054), htobe32(1), 0};
    must(write(line, &wish, sizeof wish) == sizeof wish, words[1]);
    struct { uint64_t size; uint16_t flags; } __attribute__((packed)) export;
    get(line, &export, sizeof export);

    int drive = open(words[3], O_RDWR);
    must(drive >= 0, words[3]);
    ioctl(drive, NBD_SET_BLKSIZE, 512UL);
    ioctl(drive, NBD_SET_SIZE_BLOCKS, (unsigned long)(be64toh(export.size) / 512));
    ioctl(drive, NBD_CLEAR_SOCK);
    ioctl(drive, NBD_SET_FLAGS, (unsigned long)be16toh(export.flags));
    must(!ioctl(drive, NBD_SET_SOCK, line), "NBD_SET_SOCK");
    if (fork() == 0) {
        setsid();
        ioctl(drive, NBD_DO_IT);
        _exit(0);
    }
    /* The drive is there when something can be read from it. */
    char block[4096];
    for (int tries = 0; tries < 100; tries++) {
        int reader = open(words[3], O_RDONLY);
        ssize_t got = read(reader, block, sizeof block);
        close(reader);
        if (got == sizeof block)
            return 0;
        usleep(50000);
    }
    must(0, "the drive stays empty");
}
