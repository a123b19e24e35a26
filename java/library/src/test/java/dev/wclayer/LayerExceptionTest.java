package dev.wclayer;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.reflect.Constructor;
import java.lang.reflect.Modifier;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** What the native side relies on, by name and number, and what a user reads. */
class LayerExceptionTest {
    // As native/src/base/error.h numbers them and native/src/jni/natives.cc names the classes.
    private static final List<Class<? extends LayerException>> BY_NUMBER = List.of(
            InvalidLayerArgumentException.class,
            LayerNotFoundException.class,
            LayerExistsException.class,
            ParentNotFoundException.class,
            LayerBusyException.class,
            LayerDamagedException.class,
            BadArchiveException.class,
            UnsafePathException.class,
            LimitExceededException.class,
            DigestMismatchException.class,
            UnsupportedLayerOperationException.class,
            HivesNotMergeableException.class,
            LayerIoException.class,
            NoSpaceException.class,
            AccessDeniedLayerException.class,
            PlatformException.class,
            OperationCancelledException.class,
            BackendUnavailableException.class,
            MountMismatchException.class,
            CallTimeoutException.class,
            OsVersionMismatchException.class);
    private static final int OF_JAVA = 20; // kInternal is an InternalError

    @Test
    void eachNumberHasItsClass() throws ReflectiveOperationException {
        Set<ErrorCode> seen = EnumSet.noneOf(ErrorCode.class);
        for (int i = 0; i < BY_NUMBER.size(); i++) {
            Constructor<? extends LayerException> constructor = BY_NUMBER
                    .get(i)
                    .getDeclaredConstructor(
                            int.class, int.class, String.class, String.class, String.class, String.class);
            assertThat(Modifier.isPublic(constructor.getModifiers())).isFalse();
            LayerException exception = constructor.newInstance(0, 0, "", "", "", "");
            assertThat(exception.code().number()).isEqualTo(i + 1 < OF_JAVA ? i + 1 : i + 2);
            seen.add(exception.code());
        }
        assertThat(seen).containsExactlyInAnyOrder(ErrorCode.values());
        assertThat(LayerException.class.getPermittedSubclasses())
                .containsExactlyInAnyOrderElementsOf(BY_NUMBER)
                .allMatch(type -> Modifier.isFinal(type.getModifiers()));
    }

    @Test
    void theTextOfACodeIsThatOfItsClass() {
        assertThat(Arrays.stream(ErrorCode.values()).map(ErrorCode::text))
                .doesNotHaveDuplicates()
                .allMatch(text -> text.matches("[A-Z][A-Za-z]+"));
        assertThat(ErrorCode.LAYER_BUSY.text()).isEqualTo("LayerBusy");
        assertThat(ErrorCode.HIVES_NOT_MERGEABLE.text()).isEqualTo("HivesNotMergeable");
    }

    @Test
    void theMessageIsOneLineWithAllParts() {
        LayerException exception = new PlatformException(
                0x80070020, 0, "vmcompute!ActivateLayer", "abc", "Files/a", "held by another process\nsay handle.exe");
        assertThat(exception)
                .hasMessage("vmcompute!ActivateLayer: layer 'abc': 'Files/a': held by another process say handle.exe "
                        + "(HRESULT 0x80070020)");
        assertThat(exception.reason()).isEqualTo("held by another process\nsay handle.exe");
        assertThat(exception.hresult()).isEqualTo(0x80070020);
        assertThat(exception.operation()).isEqualTo("vmcompute!ActivateLayer");
        assertThat(exception.layerId()).isEqualTo("abc");
        assertThat(exception.path()).isEqualTo("Files/a");
    }

    @Test
    void absentPartsLeaveNoTrace() {
        assertThat(new LayerIoException(0, 5, "", "", "", "input/output error"))
                .hasMessage("input/output error (errno 5)");
    }
}
