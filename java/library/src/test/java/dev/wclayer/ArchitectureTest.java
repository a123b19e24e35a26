package dev.wclayer;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.methods;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** The façade stays thin (style-examples §1). */
class ArchitectureTest {
    private static final JavaClasses CLASSES = new ClassFileImporter().importPath(Path.of("target", "classes"));

    @Test
    void nativeMethodsAreInOneClassAndNotSeenOutside() {
        methods()
                .that()
                .haveModifier(JavaModifier.NATIVE)
                .should()
                .beDeclaredInClassesThat()
                .haveFullyQualifiedName("dev.wclayer.internal.Natives")
                .andShould()
                .bePackagePrivate()
                .andShould()
                .beStatic()
                .check(CLASSES);
    }

    @Test
    void onlyTheInteropPackageKnowsCommonsCompress() {
        noClasses()
                .that()
                .resideOutsideOfPackage("dev.wclayer.compress")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("org.apache.commons..")
                .check(CLASSES);
    }

    @Test
    void theInteropPackageUsesThePublicApi() {
        noClasses()
                .that()
                .resideInAPackage("dev.wclayer.compress")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("dev.wclayer.internal")
                .check(CLASSES);
    }

    @Test
    void theRestNeedsTheJdkAlone() {
        noClasses()
                .that()
                .resideOutsideOfPackage("dev.wclayer.compress")
                .should()
                .dependOnClassesThat()
                .resideOutsideOfPackages("java..", "dev.wclayer", "dev.wclayer.internal", "org.jspecify..", "")
                .check(CLASSES);
    }

    @Test
    void handlesDoNotKnowTheFacade() {
        noClasses()
                .that()
                .resideInAPackage("dev.wclayer.internal")
                .should()
                .dependOnClassesThat()
                .haveFullyQualifiedName("dev.wclayer.WindowsDriver")
                .check(CLASSES);
    }
}
