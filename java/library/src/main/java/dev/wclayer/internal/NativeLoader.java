package dev.wclayer.internal;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.EnumSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Finds the native library and has it loaded: the file that a property names, without fallback, else the one in the jar,
 * unpacked into a folder of its own. Each class loader loads a copy of its own, since the JVM refuses to load one file
 * twice.
 */
final class NativeLoader {
    static final String PATH_PROPERTY = "dev.wclayer.native.path";
    static final String WORKDIR_PROPERTY = "dev.wclayer.native.workdir";

    private static final String PREFIX = "wclayer-native-";
    private static final String LOCK = "lock";
    private static final int PIECE = 256 << 10;
    private static final int MOST_TRIES = 1000;
    private static final FileAttribute<Set<PosixFilePermission>> OWNER_ALONE =
            PosixFilePermissions.asFileAttribute(EnumSet.of(
                    PosixFilePermission.OWNER_READ,
                    PosixFilePermission.OWNER_WRITE,
                    PosixFilePermission.OWNER_EXECUTE));
    /** A folder without a lock file this old was left by a process that died between making the two. */
    private static final Duration SURELY_DEAD = Duration.ofMinutes(10);

    private final Platform platform;
    private final Surroundings jvm;

    /** What the loader needs of the JVM it runs in. */
    interface Surroundings {
        @Nullable
        String property(String name);

        @Nullable
        InputStream resource(String name);

        void load(String file);
    }

    NativeLoader(Platform platform, Surroundings jvm) {
        this.platform = platform;
        this.jvm = jvm;
    }

    void load() {
        String path = jvm.property(PATH_PROPERTY);
        if (path != null && !path.isEmpty()) {
            loadFile(Path.of(path).toAbsolutePath());
            return;
        }
        if (platform.musl()) {
            throw failure(
                    "the bundled library needs glibc 2.36 or later and there is none for musl",
                    "use a glibc-based image, or name a library of your own with -D" + PATH_PROPERTY,
                    null);
        }
        loadBundled();
    }

    private void loadFile(Path file) {
        if (!Files.isRegularFile(file)) {
            throw failure(
                    "-D" + PATH_PROPERTY + " names " + file + ", which is no file",
                    "correct or drop the property (it has no fallback)",
                    null);
        }
        try {
            jvm.load(file.toString());
        } catch (UnsatisfiedLinkError | IllegalCallerException cause) {
            throw loadFailure("-D" + PATH_PROPERTY + " names " + file, cause);
        }
    }

    private void loadBundled() {
        String name = "META-INF/native/" + platform.folder() + "/" + platform.libraryName();
        Path workdir = workdir();
        try (InputStream bundled = jvm.resource(name)) {
            if (bundled == null) {
                throw failure(
                        "the jar carries no library for it (no " + name + ")",
                        "name a library of your own with -D" + PATH_PROPERTY,
                        null);
            }
            sweep(workdir);
            Path folder = createFolder(workdir);
            FileChannel lock =
                    FileChannel.open(folder.resolve(LOCK), StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
            boolean keep = false;
            try {
                lock.lock();
                Path file = folder.resolve(platform.libraryName());
                unpack(bundled, file);
                jvm.load(file.toString());
                keep = platform.os().equals("windows");
            } catch (UnsatisfiedLinkError | IllegalCallerException cause) {
                throw loadFailure("the bundled library was unpacked into " + folder, cause);
            } finally {
                // Windows does not delete a library in use: there the lock lives as long as the process, and the
                // next start sweeps.
                if (!keep) {
                    lock.close();
                    delete(folder);
                }
            }
        } catch (IOException cause) {
            throw failure(
                    "the bundled library could not be unpacked into " + workdir + " (" + cause + ")",
                    "name a writable folder with -D" + WORKDIR_PROPERTY,
                    cause);
        }
    }

    /**
     * A new folder of this process's, 0700 where modes exist. Not by createTempDirectory, whose secret names take a
     * program's first call tens of milliseconds: what exists already is not taken, whoever made it.
     */
    private static Path createFolder(Path workdir) throws IOException {
        boolean modes = workdir.getFileSystem().supportedFileAttributeViews().contains("posix");
        FileAttribute<?>[] attributes = modes ? new FileAttribute<?>[] {OWNER_ALONE} : new FileAttribute<?>[0];
        String own = own();
        for (int tries = 1; ; tries++) {
            try {
                return Files.createDirectory(
                        workdir.resolve(own + Long.toUnsignedString(System.nanoTime(), Character.MAX_RADIX)),
                        attributes);
            } catch (FileAlreadyExistsException taken) {
                if (tries == MOST_TRIES) {
                    throw taken;
                }
            }
        }
    }

    private static void unpack(InputStream bundled, Path file) throws IOException {
        byte[] piece = new byte[PIECE];
        try (OutputStream out = Files.newOutputStream(file, StandardOpenOption.CREATE_NEW)) {
            for (int size = bundled.read(piece); size >= 0; size = bundled.read(piece)) {
                out.write(piece, 0, size);
            }
        }
    }

    private Path workdir() {
        String named = jvm.property(WORKDIR_PROPERTY);
        if (named != null && !named.isEmpty()) {
            return Path.of(named).toAbsolutePath();
        }
        String temporary = jvm.property("java.io.tmpdir");
        return Path.of(temporary == null ? "." : temporary).toAbsolutePath();
    }

    /** How the names of this process's folders begin. */
    private static String own() {
        Path self = Path.of("/proc/self");
        try {
            // ProcessHandle starts a thread pool, which the first call need not wait for.
            return PREFIX
                    + (Files.isSymbolicLink(self)
                            ? Files.readSymbolicLink(self)
                            : ProcessHandle.current().pid()) + "-";
        } catch (IOException unreadable) {
            return PREFIX + ProcessHandle.current().pid() + "-";
        }
    }

    /** Removes the copies of processes that are gone. Whatever goes wrong here is the next start's business. */
    private static void sweep(Path workdir) {
        String own = own(); // of another class loader, perhaps in use
        try (DirectoryStream<Path> folders = Files.newDirectoryStream(workdir, PREFIX + "*")) {
            for (Path folder : folders) {
                if (!folder.getFileName().toString().startsWith(own)
                        && Files.isDirectory(folder, LinkOption.NOFOLLOW_LINKS)
                        && abandoned(folder)) {
                    delete(folder);
                }
            }
        } catch (IOException | UncheckedIOException unreadable) {
            return;
        }
    }

    private static boolean abandoned(Path folder) {
        try {
            if (!Files.getOwner(folder, LinkOption.NOFOLLOW_LINKS).equals(Files.getOwner(self()))) {
                return false;
            }
            try (FileChannel channel = FileChannel.open(
                            folder.resolve(LOCK), StandardOpenOption.WRITE, LinkOption.NOFOLLOW_LINKS);
                    FileLock lock = channel.tryLock()) {
                return lock != null;
            }
        } catch (NoSuchFileException noLock) {
            return olderThanAnyStart(folder);
        } catch (IOException | OverlappingFileLockException | UnsupportedOperationException unknown) {
            return false;
        }
    }

    private static Path self() {
        Path proc = Path.of("/proc/self");
        return Files.exists(proc) ? proc : Path.of(System.getProperty("user.home", "."));
    }

    private static boolean olderThanAnyStart(Path folder) {
        try {
            FileTime made = Files.getLastModifiedTime(folder, LinkOption.NOFOLLOW_LINKS);
            return made.toInstant().isBefore(Instant.now().minus(SURELY_DEAD));
        } catch (IOException gone) {
            return false;
        }
    }

    /** Deletes a folder of ours: it holds files alone. */
    private static void delete(Path folder) {
        try (DirectoryStream<Path> files = Files.newDirectoryStream(folder)) {
            for (Path file : files) {
                Files.deleteIfExists(file);
            }
            Files.deleteIfExists(folder);
        } catch (IOException | UncheckedIOException inUse) {
            return; // the next start tries again
        }
    }

    private UnsatisfiedLinkError loadFailure(String tried, Throwable cause) {
        String why = String.valueOf(cause.getMessage());
        String help;
        if (cause instanceof IllegalCallerException) {
            help = "start Java with --enable-native-access=dev.wclayer (on the class path: =ALL-UNNAMED)";
        } else if (why.contains("failed to map segment") || why.contains("Operation not permitted")) {
            help = "the folder is probably on a file system mounted noexec; name another with -D" + WORKDIR_PROPERTY;
        } else if (why.contains("GLIBC_")) {
            help = "this system's glibc is too old; 2.36 or later is needed";
        } else if (why.contains("wrong ELF class") || why.contains("architecture")) {
            help = "the library is for another architecture than this Java; use a Java for " + platform.folder();
        } else {
            help = "name a library that fits with -D" + PATH_PROPERTY + ", or another folder to unpack into with -D"
                    + WORKDIR_PROPERTY;
        }
        return failure(tried + " and could not be loaded (" + why + ")", help, cause);
    }

    private UnsatisfiedLinkError failure(String tried, String help, @Nullable Throwable cause) {
        UnsatisfiedLinkError error = new UnsatisfiedLinkError("wclayer has no native library for "
                + platform.description() + " (" + platform.folder() + ", Java "
                + System.getProperty("java.version", "?") + " of "
                + System.getProperty("java.home", "?") + "): " + tried + "; " + help);
        if (cause != null) {
            error.initCause(cause);
        }
        return error;
    }
}
