package dev.wclayer.benchmarks.task;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.stream.Stream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;

/** Tars by Commons Compress, the way its pages show and the way people who measured do it. */
final class CommonsTar {
    private static final int LARGE = 1 << 20;

    private CommonsTar() {}

    /** Large buffers; sizes and times from the folder walk, so that no file is looked at twice. */
    static void write(Path tree, OutputStream out) throws IOException {
        byte[] buffer = new byte[LARGE];
        TarArchiveOutputStream tar = open(new TarArchiveOutputStream(out, LARGE, "UTF-8"));
        Files.walkFileTree(tree.resolve("Files"), new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult preVisitDirectory(Path folder, BasicFileAttributes attributes) throws IOException {
                put(tree.relativize(folder) + "/", attributes);
                tar.closeArchiveEntry();
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                put(tree.relativize(file).toString(), attributes);
                copy(file, tar, buffer);
                tar.closeArchiveEntry();
                return FileVisitResult.CONTINUE;
            }

            private void put(String name, BasicFileAttributes attributes) throws IOException {
                TarArchiveEntry entry = new TarArchiveEntry(name);
                entry.setModTime(attributes.lastModifiedTime().toMillis());
                if (attributes.isRegularFile()) {
                    entry.setSize(attributes.size());
                }
                tar.putArchiveEntry(entry);
            }
        });
        tar.finish();
        tar.flush();
    }

    /** As the examples do it. */
    static void writeNaive(Path tree, OutputStream out) throws IOException {
        TarArchiveOutputStream tar = open(new TarArchiveOutputStream(out, "UTF-8"));
        try (Stream<Path> all = Files.walk(tree.resolve("Files"))) {
            for (Path path : (Iterable<Path>) all::iterator) {
                tar.putArchiveEntry(
                        new TarArchiveEntry(path, tree.relativize(path).toString()));
                if (Files.isRegularFile(path)) {
                    Files.copy(path, tar);
                }
                tar.closeArchiveEntry();
            }
        } catch (UncheckedIOException failure) {
            throw failure.getCause();
        }
        tar.finish();
        tar.flush();
    }

    private static TarArchiveOutputStream open(TarArchiveOutputStream tar) {
        tar.setLongFileMode(TarArchiveOutputStream.LONGFILE_POSIX);
        tar.setBigNumberMode(TarArchiveOutputStream.BIGNUMBER_POSIX);
        return tar;
    }

    /** Large buffers; reads to the very end, as a digest needs. */
    static void unpack(InputStream in, Path folder) throws IOException {
        byte[] buffer = new byte[LARGE];
        TarArchiveInputStream tar = new TarArchiveInputStream(in, "UTF-8");
        for (TarArchiveEntry entry = tar.getNextEntry(); entry != null; entry = tar.getNextEntry()) {
            Path target = folder.resolve(entry.getName());
            if (entry.isDirectory()) {
                Files.createDirectory(target);
            } else {
                try (OutputStream out =
                        Files.newOutputStream(target, StandardOpenOption.WRITE, StandardOpenOption.CREATE_NEW)) {
                    move(tar, out, buffer);
                }
            }
        }
        in.transferTo(OutputStream.nullOutputStream());
    }

    /** As the examples do it. */
    static void unpackNaive(InputStream in, Path folder) throws IOException {
        TarArchiveInputStream tar = new TarArchiveInputStream(in, "UTF-8");
        for (TarArchiveEntry entry = tar.getNextEntry(); entry != null; entry = tar.getNextEntry()) {
            Path target = folder.resolve(entry.getName());
            if (entry.isDirectory()) {
                Files.createDirectories(target);
            } else {
                Files.copy(tar, target);
            }
        }
    }

    private static void copy(Path file, OutputStream out, byte[] buffer) throws IOException {
        try (InputStream in = Files.newInputStream(file)) {
            move(in, out, buffer);
        }
    }

    private static void move(InputStream in, OutputStream out, byte[] buffer) throws IOException {
        for (int count = in.read(buffer); count >= 0; count = in.read(buffer)) {
            out.write(buffer, 0, count);
        }
    }
}
