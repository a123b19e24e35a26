package dev.wclayer.internal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** J1 to J4 and J7, with everything of the outside replaced: what is loaded, and what a failure says. */
class NativeLoaderTest {
    private static final Platform LINUX = Platform.of("Linux", "amd64", false);
    private static final byte[] LIBRARY = {0x7f, 'E', 'L', 'F'};

    @TempDir
    Path folder;

    private final Map<String, String> properties = new HashMap<>();
    private final List<String> loaded = new ArrayList<>();

    @BeforeEach
    void workInTheFolder() {
        properties.put(NativeLoader.WORKDIR_PROPERTY, folder.toString());
    }

    @Test
    void namesPlatformsAsTheirFolders() {
        assertThat(LINUX.folder()).isEqualTo("linux-x86_64");
        assertThat(LINUX.libraryName()).isEqualTo("libwclayer.so");
        assertThat(Platform.of("Windows Server 2022", "amd64", false).folder()).isEqualTo("windows-x86_64");
        assertThat(Platform.of("Windows Server 2022", "amd64", false).libraryName())
                .isEqualTo("wclayer.dll");
        assertThat(Platform.of("Linux", "aarch64", false).folder()).isEqualTo("linux-aarch64");
        assertThat(Platform.of("Mac OS X", "arm64", false).folder()).isEqualTo("macos-aarch64");
    }

    @Test
    void unpacksTheBundledLibraryIntoAPrivateFolderAndRemovesIt() throws IOException {
        new NativeLoader(LINUX, jvm(path -> {
                    loaded.add(path);
                    try {
                        Path file = Path.of(path);
                        assertThat(Files.readAllBytes(file)).isEqualTo(LIBRARY);
                        Path own = file.getParent();
                        assertThat(own).isNotNull().hasParent(folder);
                        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(own)))
                                .isEqualTo("rwx------");
                    } catch (IOException unreadable) {
                        throw new UncheckedIOException(unreadable);
                    }
                }))
                .load();
        assertThat(loaded).hasSize(1);
        assertThat(children()).isEmpty();
    }

    @Test
    void eachLoadHasAFileOfItsOwn() {
        loader(LINUX).load();
        loader(LINUX).load();
        assertThat(loaded).hasSize(2).doesNotHaveDuplicates();
    }

    @Test
    void aNamedFileIsLoadedAndNothingElse() throws IOException {
        Path named = Files.write(folder.resolve("mine.so"), LIBRARY);
        properties.put(NativeLoader.PATH_PROPERTY, named.toString());
        loader(LINUX).load();
        assertThat(loaded).containsExactly(named.toString());
    }

    @Test
    void aNamedFileThatIsMissingHasNoFallback() {
        properties.put(NativeLoader.PATH_PROPERTY, folder.resolve("missing.so").toString());
        assertThatThrownBy(() -> loader(LINUX).load())
                .isInstanceOf(UnsatisfiedLinkError.class)
                .hasMessageContaining("dev.wclayer.native.path")
                .hasMessageContaining("missing.so, which is no file")
                .hasMessageContaining("no fallback");
        assertThat(loaded).isEmpty();
    }

    @Test
    void aNamedFileWorksOnMuslToo() throws IOException {
        properties.put(
                NativeLoader.PATH_PROPERTY,
                Files.write(folder.resolve("mine.so"), LIBRARY).toString());
        loader(Platform.of("Linux", "amd64", true)).load();
        assertThat(loaded).hasSize(1);
    }

    @Test
    void muslIsRefusedClearly() {
        assertThatThrownBy(() -> loader(Platform.of("Linux", "amd64", true)).load())
                .isInstanceOf(UnsatisfiedLinkError.class)
                .hasMessageContaining("Linux on amd64 with musl libc")
                .hasMessageContaining("needs glibc 2.36 or later")
                .hasMessageContaining("-Ddev.wclayer.native.path");
        assertThat(loaded).isEmpty();
    }

    @Test
    void anUnknownPlatformIsNamed() {
        assertThatThrownBy(() -> loader(Platform.of("SunOS", "sparcv9", false)).load())
                .isInstanceOf(UnsatisfiedLinkError.class)
                .hasMessageContaining("SunOS on sparcv9 (sunos-sparcv9, Java ")
                .hasMessageContaining("no META-INF/native/sunos-sparcv9/libwclayer.so")
                .hasMessageContaining("-Ddev.wclayer.native.path");
    }

    @Test
    void noexecNamesTheProperty() throws IOException {
        UnsatisfiedLinkError cause =
                new UnsatisfiedLinkError("/tmp/x/libwclayer.so: failed to map segment from shared object");
        UnsatisfiedLinkError error = failure(cause);
        assertThat(error)
                .hasMessageContaining("noexec")
                .hasMessageContaining("-Ddev.wclayer.native.workdir")
                .hasMessageContaining(folder.toString())
                .hasCause(cause);
        assertThat(children()).as("nothing is left behind").isEmpty();
    }

    @Test
    void anOldGlibcIsNamed() {
        assertThat(failure(new UnsatisfiedLinkError("version `GLIBC_2.36' not found")))
                .hasMessageContaining("glibc is too old; 2.36 or later");
    }

    @Test
    void aWrongArchitectureIsNamed() {
        assertThat(failure(new UnsatisfiedLinkError("wrong ELF class: ELFCLASS64")))
                .hasMessageContaining("another architecture")
                .hasMessageContaining("linux-x86_64");
    }

    @Test
    void deniedNativeAccessNamesTheFlag() {
        assertThat(failure(new IllegalCallerException("Illegal native access from module dev.wclayer")))
                .hasMessageContaining("--enable-native-access=dev.wclayer")
                .hasMessageContaining("ALL-UNNAMED");
    }

    @Test
    void aWorkFolderThatCannotBeWrittenNamesTheProperty() {
        properties.put(NativeLoader.WORKDIR_PROPERTY, folder.resolve("missing").toString());
        assertThatThrownBy(() -> loader(LINUX).load())
                .isInstanceOf(UnsatisfiedLinkError.class)
                .hasMessageContaining("could not be unpacked into " + folder.resolve("missing"))
                .hasMessageContaining("-Ddev.wclayer.native.workdir");
    }

    @Test
    void copiesOfDeadProcessesAreRemovedAndOthersKept() throws IOException {
        Path dead = copyOf("wclayer-native-1-dead");
        Files.write(dead.resolve("lock"), new byte[0]);
        Path justMade = copyOf("wclayer-native-2-new"); // between making the folder and its lock
        Path old = copyOf("wclayer-native-3-old");
        Files.setLastModifiedTime(old, FileTime.from(Instant.now().minusSeconds(86_400)));
        Path held = copyOf("wclayer-native-4-held");
        Path foreign = Files.createDirectory(folder.resolve("something-else"));
        Path linked = Files.createSymbolicLink(folder.resolve("wclayer-native-5-link"), foreign);
        try (FileChannel lock =
                FileChannel.open(held.resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            lock.lock();
            loader(LINUX).load();
        }
        assertThat(dead).doesNotExist();
        assertThat(old).doesNotExist();
        assertThat(justMade).exists();
        assertThat(held).exists();
        assertThat(foreign).exists();
        assertThat(linked).isSymbolicLink();
    }

    private Path copyOf(String name) throws IOException {
        Path copy = Files.createDirectory(folder.resolve(name));
        Files.write(copy.resolve("libwclayer.so"), LIBRARY);
        return copy;
    }

    private UnsatisfiedLinkError failure(Throwable cause) {
        NativeLoader loader = new NativeLoader(LINUX, jvm(path -> {
            if (cause instanceof Error error) {
                throw error;
            }
            throw (RuntimeException) cause;
        }));
        UnsatisfiedLinkError error = catchThrowableOfType(UnsatisfiedLinkError.class, loader::load);
        assertThat(error).isNotNull();
        return error;
    }

    private NativeLoader loader(Platform platform) {
        return new NativeLoader(platform, jvm(loaded::add));
    }

    private NativeLoader.Surroundings jvm(Consumer<String> load) {
        return new NativeLoader.Surroundings() {
            @Override
            public @Nullable String property(String name) {
                return properties.get(name);
            }

            @Override
            public @Nullable InputStream resource(String name) {
                return bundled(name);
            }

            @Override
            public void load(String file) {
                load.accept(file);
            }
        };
    }

    private static @Nullable InputStream bundled(String name) {
        return name.equals("META-INF/native/linux-x86_64/libwclayer.so") ? new ByteArrayInputStream(LIBRARY) : null;
    }

    private List<Path> children() throws IOException {
        try (Stream<Path> list = Files.list(folder)) {
            return list.toList();
        }
    }
}
