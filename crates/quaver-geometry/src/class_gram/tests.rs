use super::*;

#[test]
fn centring_by_hand() {
    // J = (3, 1): the logits differ by 2 per unit, ±1 around their mean.
    let gram = ClassGram::from_full(2, &[9., 3., 3., 1.]).unwrap();
    assert_eq!(gram.values(), &[1., -1., -1., 1.]);
    assert_eq!(gram.trace(), 2.0);
    assert_eq!(gram.get(0, 1), -1.0);
    assert_eq!(gram.scaled(4.0).values(), &[4., -4., -4., 4.]);
}

#[test]
fn contrasts_give_the_centred_gram() {
    // J = (3, 1, 2): E J = (√2, 0), H J = (1, −1, 0).
    let contrasts = Contrasts::helmert(3).unwrap();
    let gram = ClassGram::from_contrasts(&contrasts, &[2., 0., 0., 0.]).unwrap();
    let expected = [1., -1., 0., -1., 1., 0., 0., 0., 0.];
    for (found, expected) in gram.values().iter().zip(expected) {
        assert!((found - expected).abs() < 1e-15);
    }
}

#[test]
fn grams_add() {
    let one = ClassGram::from_full(2, &[9., 3., 3., 1.]).unwrap();
    let two = one.clone() + &one;
    assert_eq!(two, one.clone() + one.clone());
    assert_eq!(two, ClassGram::sum([&one, &one]).unwrap());
    assert_eq!(two.values(), &[2., -2., -2., 2.]);
    let mut three = ClassGram::zeros(2).unwrap();
    three += two;
    three += &one;
    assert_eq!(three.trace(), 6.0);
}

#[test]
fn what_is_not_a_gram() {
    let kind = |result: Result<ClassGram, GeometryError>| result.unwrap_err().kind();
    let (two, three) = (ClassGram::zeros(2).unwrap(), ClassGram::zeros(3).unwrap());
    let contrasts = Contrasts::helmert(3).unwrap();
    assert_eq!(kind(ClassGram::zeros(1)), GeometryErrorKind::OneClass);
    assert_eq!(
        kind(ClassGram::from_full(1, &[1.])),
        GeometryErrorKind::OneClass
    );
    assert_eq!(
        kind(ClassGram::from_full(2, &[1.; 3])),
        GeometryErrorKind::Shape
    );
    assert_eq!(
        kind(ClassGram::from_full(2, &[f64::NAN; 4])),
        GeometryErrorKind::NotFinite
    );
    assert_eq!(
        kind(ClassGram::from_contrasts(&contrasts, &[1.; 9])),
        GeometryErrorKind::Shape
    );
    assert_eq!(kind(ClassGram::sum([])), GeometryErrorKind::Shape);
    assert_eq!(
        kind(ClassGram::sum([&two, &three])),
        GeometryErrorKind::Shape
    );
}
